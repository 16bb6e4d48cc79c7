-- Somebody whom Trunkline's gateway keeps hidden looks offline: when they come,
-- while they are there, and when they leave.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- What others get of a hidden session is what they get of one that is gone:
-- answers, errors and silence. It gets their messages all the same. Not kept in
-- the dark are the person's own sessions, this server, and who got directed
-- presence from the session: rooms and who is in them.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local is_loaded = require "core.modulemanager".is_loaded;
local jid = require "util.jid";
local rosters = require "core.rostermanager";
local st = require "util.stanza";

-- The privacy list (XEP-0016) that the gateway activates to hide a session.
local hidden_list = "trunkline-hidden";
local bare_sessions, full_sessions, hosts = prosody.bare_sessions, prosody.full_sessions, prosody.hosts;
local host = module.host;

---- Leaving -------------------------------------------------------------------

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
	if jid.bare(to) == session.username .. "@" .. session.host then return; end
	if session.directed and session.directed[to] then return; end
	return true;
end

-- Before mod_privacy_lists (500) and mod_presence (0).
for _, name in ipairs {
	"pre-presence/bare"; "pre-presence/full"; "pre-presence/host"; "presence/bare"; "presence/full";
} do
	module:hook(name, leave_unseen, 510);
end

---- Being there ---------------------------------------------------------------

-- Whether whoever wrote from this address may know that the session is there.
local function may_know(session, from)
	local node, from_host = jid.split(from);
	if not from or from == session.host then return true; end
	if node == session.username and from_host == session.host then return true; end
	for to in pairs(session.directed or {}) do
		-- The service of a room, too.
		if jid.bare(to) == jid.bare(from) or from == jid.host(to) then return true; end
	end
	return false;
end

local function hidden_from(session, from)
	return session.activePrivacyList == hidden_list and not may_know(session, from);
end

-- How many of a person's available sessions are hidden from this address, and
-- how many are not. Of the latter only those count that get messages, if asked.
local function count(bare, from, for_messages)
	local hidden, shown = 0, 0;
	local user = bare_sessions[bare];
	for _, session in pairs(user and user.sessions or {}) do
		if session.presence and hidden_from(session, from) then
			hidden = hidden + 1;
		elseif session.presence and not (for_messages and (session.priority or 0) < 0) then
			shown = shown + 1;
		end
	end
	return hidden, shown;
end

-- A contact who asks for presence, as servers do for each who comes online, or
-- who asks to be a contact once more: mod_presence says of who has no session
-- that they are not there. For hidden ones it finds sessions, and the list keeps
-- their presence back, so that nothing at all would be said.
local function presence_asked_for(event)
	local stanza = event.stanza;
	local to, from = jid.bare(stanza.attr.to), stanza.attr.from;
	local asked = stanza.attr.type;
	if not to or asked ~= "probe" and asked ~= "subscribe" then return; end
	local hidden, shown = count(to, from);
	if hidden == 0 or shown > 0 then return; end
	if not rosters.is_contact_subscribed(jid.node(to), host, jid.bare(from)) then return; end
	if asked == "subscribe" then
		from = jid.bare(from);
		prosody.core_post_stanza(hosts[host], st.presence { from = to; to = from; type = "subscribed" }, true);
	end
	prosody.core_post_stanza(hosts[host], st.presence { from = to; to = from; type = "unavailable" }, true);
	return true;
end

-- After mod_privacy_lists and mod_blocklist (100), before mod_presence.
module:hook("presence/bare", presence_asked_for, 50);
module:hook("presence/full", presence_asked_for, 50);

local function bounce(event)
	event.origin.send(st.error_reply(event.stanza, "cancel", "service-unavailable"));
	return true;
end

-- Requests to the session itself: mod_iq's answer for one that is gone. Answers
-- to what the session asked get through; nobody notices whether they do.
module:hook("iq/full", function (event)
	local session, asked = full_sessions[event.stanza.attr.to], event.stanza.attr.type;
	if (asked == "get" or asked == "set") and session and hidden_from(session, event.stanza.attr.from) then
		return bounce(event);
	end
end, 50);

-- mod_mam has put its mark on what it archived; mod_offline takes each message.
local function is_archived(stanza, bare)
	return stanza:get_child_with_attr("stanza-id", "urn:xmpp:sid:0", "by", bare) and true or nil;
end

local function forbids_keeping(stanza)
	return stanza:get_child("no-store", "urn:xmpp:hints") or stanza:get_child("no-permanent-store", "urn:xmpp:hints");
end

-- Messages reach a hidden session, and nobody notices, for they are kept when it
-- is gone. Sent back are those that come back then: what rooms send their people,
-- and text that the sender does not let be kept.
local function message(event)
	local stanza = event.stanza;
	local to, from, kind = stanza.attr.to, stanza.attr.from, stanza.attr.type;
	if not to or kind == "error" or kind == "headline" then return; end
	local session, bare = full_sessions[to], jid.bare(to);
	if session and not hidden_from(session, from) then return; end
	if kind == "groupchat" then
		if session then return bounce(event); end
		return;
	end
	if not stanza:get_child("body") or not forbids_keeping(stanza) then return; end
	if is_loaded(host, "offline") or is_archived(stanza, bare) then return; end
	local hidden, shown = count(bare, from, true);
	if (session or hidden > 0) and shown == 0 then return bounce(event); end
end

-- After mod_mam (0), before mod_carbons (-0.5) and mod_message (-1).
module:hook("message/bare", message, -0.2);
module:hook("message/full", message, -0.2);

-- What has no text and is not archived (somebody types) reaches hidden sessions,
-- so it must not come back from somebody who is gone. After mod_mam (-2).
module:hook("message/offline/handle", function (event)
	if not event.stanza:get_child("body") then return true; end
end, -3);

---- What was not acknowledged ---------------------------------------------------

-- What a session has not acknowledged when it ends, mod_smacks sends back, and
-- each contact whose presence is among it would get an error from the session,
-- as would who wrote. Text of which the archive has no copy is left to mod_smacks.
module:hook("delivery/failure", function (event)
	local session, stanza = event.session, event.stanza;
	if session.activePrivacyList ~= hidden_list then return; end
	if stanza.name == "presence" then return true; end
	if stanza.name ~= "message" or may_know(session, stanza.attr.from) then return; end
	if stanza.attr.type == "headline" or not stanza:get_child("body") then return true; end
	-- Of the last session's mod_smacks takes care, with mod_offline.
	local bare = jid.bare(session.full_jid);
	local sessions = bare_sessions[bare] and bare_sessions[bare].sessions or {};
	if next(sessions, next(sessions)) then return is_archived(stanza, bare); end
end, 10);

---- Blocking ------------------------------------------------------------------

-- What comes from somebody who is blocked mod_blocklist stops whatever a list
-- says. mod_blocking writes blocks into a list, as ejabberd does, of which the
-- one that hides a session takes the place, and then the gateway sees to it.
module:hook("stream-features", function (event)
	if event.origin.username and is_loaded(host, "blocklist") and not is_loaded(host, "blocking") then
		event.features:tag("blocking-apart", { xmlns = "urn:trunkline:gateway:0" }):up();
	end
end);
