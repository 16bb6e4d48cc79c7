-- mod_auth_trunkline: Prosody asks Trunkline whether a password is right.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- What it promises:
--  * Nothing here blocks Prosody: a session that waits for an answer waits
--    alone, for at most trunkline_timeout seconds.
--  * "Cannot tell now" never looks like "wrong password": the client gets
--    temporary-auth-failure and may try again.
--  * The password goes in the body of a POST, over loopback or verified TLS,
--    and into no log.
--  * Whether a person exists is remembered for trunkline_exists_ttl seconds;
--    while it cannot be told, the last answer counts, and without one the
--    person exists, so that no message bounces because a verifier restarts.
--  * Nobody sees a session leave that the gateway kept hidden, however it ends.
--
-- README.md beside this file has the configuration. Needs Prosody 0.12.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local async = require "util.async";
local http = require "net.http";
local json = require "util.json";
local jid_bare = require "util.jid".bare;
local new_cache = require "util.cache".new;
local new_promise = require "util.promise".new;
local new_sasl = require "util.sasl".new;
local now = require "util.time".now;
local timers = require "util.timer";
local parse_url = require "socket.url".parse;

local host = module.host;

-- How many people's existence is remembered.
local cache_size = 10000;
-- How long nobody is asked about existence after it could not be told, so that
-- a queue of messages does not wait the full timeout for each of them.
local pause_after_trouble = 2;

---- Configuration -----------------------------------------------------------

local function mistake(...)
	error(string.format(...), 0);
end

local function is_loopback(name)
	return name == "::1" or name:match("^127%.%d+%.%d+%.%d+$") ~= nil;
end

local function option_number(name, default, min, max)
	local raw = module:get_option(name, default);
	local value = tonumber(raw);
	if not value or value < min or value > max then
		mistake("%s must be a number of seconds from %g to %g, not %q", name, min, max, tostring(raw));
	end
	return value;
end

local function option_url()
	local url = module:get_option_string("trunkline_url");
	if not url then
		mistake('trunkline_url is not set; it is the /verify address of Trunkline\'s private listener, '
			.. 'for example trunkline_url = "http://127.0.0.1:8081/verify"');
	end
	local parsed = parse_url(url);
	if not parsed or not parsed.host or (parsed.scheme ~= "http" and parsed.scheme ~= "https") then
		mistake('trunkline_url must begin with "http://" or "https://" and name a host, not %q', url);
	elseif parsed.host == "localhost" then
		mistake('trunkline_url must say 127.0.0.1 or [::1] and not "localhost", for which Prosody would ask the DNS');
	elseif parsed.userinfo or parsed.query or parsed.fragment then
		mistake("trunkline_url must not contain a user name, a query or a fragment; the secret goes into trunkline_secret");
	elseif parsed.scheme == "http" and not is_loopback(parsed.host)
	and not module:get_option_boolean("trunkline_insecure_http", false) then
		mistake('trunkline_url would send passwords unencrypted to %q; use https://, or, if that network is yours alone, '
			.. 'set trunkline_insecure_http = true', parsed.host);
	elseif parsed.scheme == "https" and not pcall(require, "ssl") then
		mistake("trunkline_url is https, but LuaSec is not installed (Debian: lua-sec)");
	end
	return url;
end

local function read_secret_file(path)
	local file, why = io.open(path, "r");
	if not file then
		mistake("trunkline_secret_file cannot be read: %s (Prosody's own user must be able to read it)", why);
	end
	local secret, read_why = file:read("*a");
	file:close();
	if not secret then
		mistake("trunkline_secret_file cannot be read: %s", read_why or path);
	end
	return (secret:gsub("[\r\n]+$", ""));
end

local function option_secret()
	local secret = module:get_option_string("trunkline_secret");
	local path = module:get_option_path("trunkline_secret_file", nil, "config");
	if secret and path then
		mistake("trunkline_secret and trunkline_secret_file are both set; remove one");
	elseif not secret and not path then
		mistake("neither trunkline_secret nor trunkline_secret_file is set; one of them must hold the secret "
			.. "that Trunkline's configuration has for this server");
	end
	local name = path and "trunkline_secret_file" or "trunkline_secret";
	secret = secret or read_secret_file(path);
	if secret == "" then
		mistake("%s is empty", name);
	elseif secret:find("[^\33-\126]") then
		mistake("%s may contain only printable ASCII characters without spaces", name);
	end
	return secret;
end

local url = option_url();
local secret = option_secret();
local timeout = option_number("trunkline_timeout", 2, 0.1, 30);
local exists_ttl = option_number("trunkline_exists_ttl", 10, 0, 3600);

---- Asking --------------------------------------------------------------------

local current_trouble;

-- Logs when the verifier begins to fail, fails otherwise, or recovers; not each time.
local function note_trouble(trouble)
	if trouble == current_trouble then return; end
	current_trouble = trouble;
	if trouble then
		module:log("error", "Passwords cannot be checked: %s (%s); until this is solved logins get a temporary failure",
			trouble, url);
	else
		module:log("info", "Passwords can be checked again");
	end
end

-- What went wrong with an answer, or its result.
local function read_answer(body, code)
	if code == 0 then
		return nil, "no connection: " .. tostring(body);
	elseif code == 401 then
		return nil, "Trunkline refuses the shared secret; compare trunkline_secret with Trunkline's configuration";
	elseif code ~= 200 then
		return nil, "unexpected HTTP status " .. tostring(code);
	end
	local answer = json.decode(body or "");
	local result = type(answer) == "table" and answer.result;
	if result == "yes" or result == "no" then
		return result;
	elseif result == "unknown" then
		return nil, "Trunkline cannot tell at the moment";
	end
	return nil, "this is not Trunkline's answer";
end

-- A promise of "yes", "no" or "unknown" that is kept within the timeout.
local function ask(question)
	return new_promise(function (resolve)
		local request, timer;
		local answered = false;
		local function finish(result, trouble)
			if answered then return; end
			answered = true;
			if timer then timers.stop(timer); end
			note_trouble(trouble);
			resolve(result or "unknown");
		end
		-- Not module:add_timer: that one is lost when the module is reloaded.
		timer = timers.add_task(timeout, function ()
			if answered then return; end
			if request then http.destroy_request(request); end
			finish(nil, string.format("no answer within %g seconds", timeout));
		end);
		request = http.request(url, {
			method = "POST";
			headers = {
				["Authorization"] = "Bearer " .. secret;
				["Content-Type"] = "application/json";
				["Accept"] = "application/json";
			};
			body = json.encode(question);
		}, function (body, code)
			finish(read_answer(body, code));
		end);
	end);
end

---- Does this person exist? -------------------------------------------------

local known = new_cache(cache_size); -- username -> { exists, at }; stale ones are the last known answer
local asking = {}; -- username -> promise
local paused_until = 0;

local function remember(username, exists)
	known:set(username, { exists = exists; at = now() });
end

local function ask_exists(username)
	local promise = asking[username];
	if promise then return promise; end
	promise = ask({ op = "exists"; user = username; host = host; });
	asking[username] = promise;
	return promise:next(function (result)
		asking[username] = nil;
		if result == "unknown" then
			paused_until = now() + pause_after_trouble;
		else
			paused_until = 0;
			remember(username, result == "yes");
		end
	end);
end

local function user_exists(username)
	local entry = known:get(username);
	if entry and now() - entry.at < exists_ttl then
		return entry.exists;
	end
	if now() >= paused_until then
		local promise = ask_exists(username);
		if async.ready() then -- else the answer comes too late for this once
			async.wait_for(promise);
			entry = known:get(username);
		end
	end
	if entry then
		return entry.exists;
	end
	return true;
end

---- Is this password right? -------------------------------------------------

-- "yes", "no" or "unknown"
local function check(username, password)
	if not async.ready() then
		module:log("error", "A password was to be checked where Prosody cannot wait for the answer");
		return "unknown";
	end
	local result = async.wait_for(ask({ op = "auth"; user = username; host = host; secret = password; }));
	if result == "yes" then
		remember(username, true);
	elseif result ~= "no" then
		return "unknown";
	end
	return result;
end

-- util.sasl's PLAIN knows only right and wrong. Its handler hands itself to the
-- test, which leaves a note on it when the answer was neither.
local profile = {
	plain_test = function (handler, username, password)
		local result = check(username, password);
		handler.cannot_tell = result == "unknown";
		return result == "yes", true;
	end;
};

local function new_handler()
	local handler = new_sasl(host, profile);
	local process = handler.process;
	function handler:process(message)
		self.cannot_tell = false;
		local status, condition, text = process(self, message);
		if status == "failure" and self.cannot_tell then
			return "failure", "temporary-auth-failure", "Your password cannot be checked at the moment. Please try again soon.";
		end
		return status, condition, text;
	end
	function handler:clean_clone() -- luacheck: ignore 212/self
		return new_handler();
	end
	return handler;
end

---- Hidden sessions ---------------------------------------------------------

-- The privacy list (XEP-0016) that the gateway activates to hide a session.
local hidden_list = "trunkline-hidden";
local full_sessions = prosody.full_sessions;

-- A list is not enough for the end of a session: mod_privacy_lists looks lists
-- up by the person's sessions, and of the last one nothing is left there when
-- mod_presence says that it leaves. Nor does it keep back what the server says
-- of a person's other sessions to somebody who is blocked, or no subscriber any
-- more. So unavailable presence of a hidden session stops here, unless it goes
-- to the person's own sessions or to who got directed presence: rooms.
local function leave_unseen(event)
	local origin, stanza = event.origin, event.stanza;
	local to = stanza.attr.to;
	if stanza.attr.type ~= "unavailable" or not to then return; end
	local session = origin.activePrivacyList and origin or full_sessions[stanza.attr.from];
	if not session or session.activePrivacyList ~= hidden_list then return; end
	if jid_bare(to) == session.username .. "@" .. session.host then return; end
	if session.directed and session.directed[to] then return; end
	return true;
end

-- Before mod_privacy_lists (500) and mod_presence (0).
for _, name in ipairs {
	"pre-presence/bare"; "pre-presence/full"; "pre-presence/host"; "presence/bare"; "presence/full";
} do
	module:hook(name, leave_unseen, 510);
end

-- What a session has not acknowledged when it ends, mod_smacks sends back, and
-- each contact whose presence is among it would get an error from the session.
module:hook("delivery/failure", function (event)
	if event.stanza.name == "presence" and event.session.activePrivacyList == hidden_list then
		return true;
	end
end, 10);

---- The provider ------------------------------------------------------------

local provider = {};

function provider.get_sasl_handler()
	return new_handler();
end

function provider.test_password(username, password)
	local result = check(username, password);
	if result == "yes" then
		return true;
	elseif result == "no" then
		return nil, "Auth failed. Invalid username or password.";
	end
	return nil, "The password cannot be checked at the moment.";
end

function provider.user_exists(username)
	return user_exists(username);
end

function provider.get_password()
	return nil, "Trunkline does not tell passwords.";
end

local function not_here()
	return nil, "Accounts and passwords are managed in Trunkline.";
end
provider.set_password = not_here;
provider.create_user = not_here;
provider.delete_user = not_here;

module:provides("auth", provider);
