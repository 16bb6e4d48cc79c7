-- mod_auth_trunkline: Prosody asks Trunkline whether a password is right, and
-- ends the sessions whose password was revoked.
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
--  * A session ends when what it was opened with ends (ended.lib.lua).
--  * A session that the gateway keeps hidden looks gone to others, whatever
--    they ask, and nobody sees it leave, however it ends (hidden.lib.lua).
-- The first does not hold for trunkline_fallback, if that module blocks.
--
-- docs/prosody.md has the configuration. Needs Prosody 0.12.
--
-- luacheck: std lua54
-- luacheck: globals module

local async = require "util.async";
local new_cache = require "util.cache".new;
local new_sasl = require "util.sasl".new;
local now = require "util.time".now;

local options = module:require "options";
local issued = module:require "issued";
local asking = module:require "ask" (options);
local ended = module:require "ended" (options, asking);
module:require "hidden";

if options.fallback then
	module:depends("auth_" .. options.fallback);
end

local host = module.host;

-- How many people's existence is remembered.
local cache_size = 10000;
-- How long nobody is asked about existence after it could not be told, so that
-- a queue of messages does not wait the full timeout for each of them.
local pause_after_trouble = 2;

---- Asking --------------------------------------------------------------------

local note_trouble = asking.new_trouble_log(
	"Passwords cannot be checked: %s (" .. options.url:gsub("%%", "%%%%")
		.. "); until this is solved logins get a temporary failure",
	"Passwords can be checked again");

-- A promise of Trunkline's answer; its result is "yes", "no" or "unknown".
local function ask(question)
	return asking.ask(options.url, question):next(function (reply)
		local answer, trouble = reply.answer or {}, reply.trouble;
		if not trouble and answer.result == "unknown" and answer.reason ~= "throttled" then
			trouble = "Trunkline cannot tell at the moment";
		elseif not trouble and answer.result ~= "yes" and answer.result ~= "no" and answer.result ~= "unknown" then
			trouble = "this is not Trunkline's answer";
		end
		note_trouble(trouble);
		return trouble and { result = "unknown" } or answer;
	end);
end

---- Another authentication module beside this one -------------------------------

-- The provider of trunkline_fallback. It is absent while that module is reloaded.
local function fallback_provider()
	for _, item in ipairs(module:get_host_items("auth-provider")) do
		if item.name == options.fallback then return item; end
	end
	module:log("error", "mod_auth_%s, which trunkline_fallback names, is not there", options.fallback);
end

-- What a method of the fallback says, or nil and false if it fails.
local function ask_fallback(method, ...)
	local other = fallback_provider();
	if not other then return nil, false; end
	local ok, answer = pcall(other[method], ...);
	if not ok then
		module:log("error", "mod_auth_%s failed: %s", options.fallback, answer);
		return nil, false;
	end
	return answer, true;
end

---- Does this person exist? -------------------------------------------------

local known = new_cache(cache_size); -- username -> { exists, at }; stale ones are the last known answer
local questions = {}; -- username -> promise
local paused_until = 0;

local function remember(username, exists)
	known:set(username, { exists = exists; at = now() });
end

local function ask_exists(username)
	local promise = questions[username];
	if promise then return promise; end
	promise = ask({ op = "exists"; user = username; host = host; });
	questions[username] = promise;
	return promise:next(function (answer)
		questions[username] = nil;
		if answer.result == "unknown" then
			paused_until = now() + pause_after_trouble;
			return;
		end
		paused_until = 0;
		local exists, told = answer.result == "yes", true;
		if not exists and options.fallback then
			exists, told = ask_fallback("user_exists", username);
		end
		if told then remember(username, exists and true or false); end
	end);
end

local function user_exists(username)
	local entry = known:get(username);
	if entry and now() - entry.at < options.exists_ttl then
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

-- Puts a question about a login to Trunkline. "yes", "no" or "unknown", and the
-- answer.
local function ask_login(question)
	local ready, trouble = ended.ready();
	if not ready then
		note_trouble(trouble);
		return "unknown";
	end
	local mark = ended.mark();
	local answer = async.wait_for(ask(question));
	if answer.result ~= "yes" then
		return answer.result;
	end
	remember(question.user, true);
	if ended.since(mark, question.user, answer) then
		return "unknown"; -- the next try tells
	end
	return "yes", answer;
end

-- The other module says whether the password is right, and Trunkline whether the
-- person may come in: it knows who is suspended.
local function check_elsewhere(username, password, address)
	if password == "" then return "no"; end -- LDAP takes that for an anonymous login
	local right, told = ask_fallback("test_password", username, password);
	if not told then return "unknown"; end
	if not right then return "no"; end
	return (ask_login({ op = "welcome"; user = username; host = host; address = address; }));
end

-- "yes", "no" or "unknown"; after a yes of Trunkline's also what the password
-- hangs on. address is the person's, or nil.
local function check(username, password, address)
	if not async.ready() then
		module:log("error", "A password was to be checked where Prosody cannot wait for the answer");
		return "unknown";
	end
	if options.fallback and not issued(password) then
		return check_elsewhere(username, password, address);
	end
	local result, answer = ask_login({ op = "auth"; user = username; host = host; secret = password; address = address; });
	if result ~= "yes" then
		return result;
	end
	return "yes", { account = answer.account; session = answer.session; credential = answer.credential; };
end

-- util.sasl's PLAIN knows only right and wrong. Its handler hands itself to the
-- test, which leaves a note on it when the answer was neither.
local profile = {
	plain_test = function (handler, username, password)
		local result, login = check(username, password, handler.address);
		handler.cannot_tell = result == "unknown";
		handler.trunkline = login;
		return result == "yes", true;
	end;
};

local function new_handler(address)
	local handler = new_sasl(host, profile);
	handler.address = address;
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
		return new_handler(address);
	end
	return handler;
end

---- The provider ------------------------------------------------------------

local provider = {};

function provider.get_sasl_handler(session)
	return new_handler(session and session.ip);
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

-- A reload keeps the place in Trunkline's list.
module.save, module.restore, module.unload = ended.save, ended.restore, ended.unload;
