"use strict";(()=>{var _="__TRUNKLINE_CHAT_ORIGIN__";})();
