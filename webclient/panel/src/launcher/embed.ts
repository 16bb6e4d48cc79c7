export const chatOrigin = "__TRUNKLINE_CHAT_ORIGIN__";
