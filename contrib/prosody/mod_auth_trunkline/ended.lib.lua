-- Ends the sessions that were opened with what ended in Trunkline: a password
-- that was revoked, a login that was signed out, an account that may chat no
-- more. Trunkline is asked for what is new every trunkline_poll_interval seconds.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- What it promises:
--  * Exactly those sessions end, hibernating ones (XEP-0198) too, and those that
--    have not bound a resource yet. A person's other devices stay connected.
--  * If Trunkline was out of reach for so long that it cannot tell any more what
--    ended meanwhile, all sessions end; apps log in again by themselves.
--  * Nobody comes in before it is known from where on to listen, so that
--    nothing that ends after a login is missed, whatever restarts meanwhile.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local async = require "util.async";
local now = require "util.time".now;

local options, asking; -- see the end

local host = module.host;
local hosts = prosody.hosts;

-- For how long what ended is remembered, for logins that are on their way: more
-- than any trunkline_timeout.
local memory = 60;

local cursor; -- how far Trunkline's list was read, nil before the first answer
local heard_at; -- when that was
local too_old = false; -- whether Trunkline has no such list
local polling; -- the promise of the poll that is under way
local unloaded = false;

local recent, first, last = {}, 1, 0; -- what ended lately, numbered
local unbound = setmetatable({}, { __mode = "k" }); -- sessions that are logged in and have no resource yet

local note_trouble;

---- Who is concerned ------------------------------------------------------------

-- session.trunkline is what the password of its login hangs on: "account",
-- "session" and "credential", as Trunkline tells them. It is nil for a password
-- that is not Trunkline's.
local function concerns(entry, username, login)
	if entry.kind == "account" and entry.user == username then
		return true;
	end
	return login ~= nil and entry.subject ~= "" and login[entry.kind] == entry.subject;
end

-- The sessions of this person, or of all if it is not known whose.
local function sessions_of(username)
	local list = {};
	local function add(user)
		for _, session in pairs(user and user.sessions or {}) do
			table.insert(list, session);
		end
	end
	if username ~= "" then
		add(hosts[host].sessions[username]);
	else
		for _, user in pairs(hosts[host].sessions) do add(user); end
	end
	for session in pairs(unbound) do
		if not session.destroyed and (username == "" or session.username == username) then
			table.insert(list, session);
		end
	end
	return list;
end

local function finish(entry)
	last = last + 1;
	recent[last] = { entry = entry; at = now() };
	local count = 0;
	for _, session in ipairs(sessions_of(entry.user)) do
		if concerns(entry, session.username, session.trunkline) then
			count = count + 1;
			session:close({ condition = "not-authorized"; text = entry.reason });
		end
	end
	module:log(count > 0 and "info" or "debug", "Ended %d sessions of %s: %s %s: %s",
		count, entry.user ~= "" and entry.user or "somebody", entry.kind, entry.subject, entry.reason);
end

-- Nobody can tell who of these may stay.
local function finish_all()
	local count = 0;
	for _, session in ipairs(sessions_of("")) do
		count = count + 1;
		session:close({ condition = "reset"; text = "Please sign in again." });
	end
	module:log("warn", "Trunkline was out of reach for so long that it cannot tell what was revoked meanwhile; "
		.. "ended all %d sessions", count);
end

local function forget()
	while first <= last and now() - recent[first].at > memory do
		recent[first] = nil;
		first = first + 1;
	end
end

---- Asking for what ended -------------------------------------------------------

local function text(value)
	return type(value) == "string" and value or "";
end

-- What is wrong with the answer, or nil after it was followed; then also whether
-- there may be more.
local function follow(result)
	if result.code == 404 then
		return "this Trunkline does not tell what was revoked; update it";
	elseif result.trouble then
		return result.trouble;
	end
	local seq, list = result.answer.seq, result.answer.ended;
	if type(seq) ~= "number" or type(list) ~= "table" then
		return "this is not Trunkline's answer";
	end
	local more = cursor ~= nil and seq ~= cursor;
	cursor, heard_at = seq, now();
	if result.answer.gap == true then finish_all(); end
	for _, e in ipairs(list) do
		if type(e) == "table" then
			finish({ kind = text(e.kind); subject = text(e.subject); user = text(e.user); reason = text(e.reason) });
		end
	end
	return nil, more;
end

-- A promise of what is wrong, or nil.
local function poll()
	if polling then return polling; end
	local asked, done = cursor or -1, false;
	local away = heard_at and math.max(0, now() - heard_at);
	local promise = asking.ask(options.feed_url, { after = asked; away = away }):next(function (result)
		done, polling = true, nil;
		if unloaded then return; end
		forget();
		if asked ~= (cursor or -1) then return poll(); end -- restored meanwhile
		local trouble, more = follow(result);
		too_old = result.code == 404;
		note_trouble(trouble);
		if more then poll(); end
		return trouble;
	end);
	if not done then polling = promise; end
	return promise;
end

local function start()
	note_trouble = asking.new_trouble_log(
		"What was revoked cannot be heard of: %s; until this is solved, sessions stay open that should end",
		"What is revoked is heard of again");
	if prosody.start_time then
		poll();
	else
		module:hook_global("server-started", function () poll(); end);
	end
	module:add_timer(options.poll_every, function ()
		poll();
		return options.poll_every;
	end);
end

---- Sessions --------------------------------------------------------------------

module:hook("authentication-success", function (event)
	local session = event.session;
	session.trunkline = session.sasl_handler and session.sasl_handler.trunkline;
	unbound[session] = true;
end);

module:hook("resource-bind", function (event)
	unbound[event.session] = nil;
end);

-- A session that was resumed hangs on the password with which it was.
module:hook("smacks-hibernation-end", function (event)
	event.resumed.trunkline = event.origin.trunkline;
	unbound[event.origin] = nil;
end);

local ended = {};

-- Waits until it is known from where on to listen. False, and why, if that cannot
-- be told now.
function ended.ready()
	if cursor or too_old then return true; end
	local trouble = async.wait_for(poll());
	if cursor or too_old then return true; end
	return false, trouble;
end

-- A mark for ended.since.
function ended.mark()
	return last;
end

-- Whether what a login hangs on has ended since the mark: Trunkline may have
-- answered before that.
function ended.since(mark, username, login)
	for n = math.max(first, mark + 1), last do
		if concerns(recent[n].entry, username, login) then return true; end
	end
	return false;
end

function ended.save()
	unloaded = true;
	return { cursor = cursor; heard_at = heard_at; unbound = unbound };
end

function ended.restore(state)
	cursor, heard_at = state.cursor or cursor, state.heard_at or heard_at;
	for session in pairs(state.unbound or {}) do unbound[session] = true; end
end

function ended.unload()
	unloaded = true;
end

return function (the_options, the_asking)
	options, asking = the_options, the_asking;
	start();
	return ended;
end
