// The page that the login popup ends on. The server has already done everything; this only tells the panel that
// opened the popup how it went, at the chat origin and at no other, and closes the window.

interface LoginMessage {
  type: "trunkline:login";
  ok: boolean;
  error?: string;
  message?: string;
  handoff?: string;
}

/** Reads what the server wrote on the body. */
export function loginMessage(data: DOMStringMap): LoginMessage {
  const ok = data["result"] === "ok";
  const message: LoginMessage = { type: "trunkline:login", ok };
  if (!ok) message.error = data["result"] || "internal";
  if (data["message"]) message.message = data["message"];
  if (data["handoff"]) message.handoff = data["handoff"];
  return message;
}

function report(): void {
  const data = document.body.dataset;
  const origin = data["chatOrigin"];
  const opener = window.opener as Window | null;
  if (!opener || !origin) return; // opened by hand: the page's own words must do
  opener.postMessage(loginMessage(data), origin);
  window.close();
}

report();
