// The page around Converse.js: its settings, and what people are told. What each
// setting is for, and which are yours to change, is in docs/converse.md.
'use strict';

converse.initialize({
  // The login: a password from Trunkline each time, over the session of this browser.
  authentication: 'login',
  auto_login: true,
  auto_reconnect: true,
  keepalive: true,
  credentials_url: '/api/v1/credentials',
  websocket_url: `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/xmpp-websocket`,
  discover_connection_methods: false, // or it takes the XMPP server's own WebSocket, past the gateway
  reuse_scram_keys: false, // the passwords live for minutes
  allow_registration: false,
  allow_logout: false, // people sign out of Trunkline, see docs/converse.md
  allow_non_roster_messaging: false,
  clear_cache_on_logout: true,
  persistent_store: 'sessionStorage', // nothing stays in the browser when the tab is closed

  // Nothing is asked of anybody but this server.
  xmpp_providers_url: '',
  autocomplete_providers_url: '',
  muc_search_service: '',
  render_media: false,

  assets_path: 'dist/',
  view_mode: 'fullscreen',
  whitelisted_plugins: ['trunkline'],
  blacklisted_plugins: ['converse-omemo', 'converse-omemo-views', 'converse-register'],
});

const notice = document.getElementById('notice');
const button = document.getElementById('notice-button');

function tell(text, label, act) {
  document.getElementById('notice-text').textContent = text;
  button.hidden = label === undefined;
  button.textContent = label ?? '';
  button.onclick = act ?? null;
  notice.hidden = false;
}

// The window closes by itself when the login is through, and the plugin goes on.
function logIn() {
  window.open('/auth/login?mode=popup', 'trunkline-login', 'popup,width=520,height=720');
}

const again = () => dispatchEvent(new Event('trunkline:try-again'));

// Converse shows a form for addresses and passwords to whom it has not connected.
// Nobody here has any that they could type into it.
const show = (yes) => { document.body.className = yes ? 'connected' : ''; };

addEventListener('trunkline:signed-out', () => {
  show(false);
  tell('You are signed out.', 'Log in', logIn);
});
addEventListener('trunkline:refused', (event) => {
  show(false);
  tell(event.detail.message, 'Try again', again);
});
addEventListener('trunkline:stopped', () => tell('The chat cannot be reached.', 'Try again', again));
addEventListener('trunkline:waiting', (event) => {
  tell(`The chat cannot be reached now. Next try in ${event.detail.seconds} seconds.`, 'Try now', again);
});
addEventListener('trunkline:connected', () => {
  show(true);
  notice.hidden = true;
});
