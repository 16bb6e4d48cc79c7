-- Nobody sees a session leave that Trunkline's gateway kept hidden.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local is_loaded = require "core.modulemanager".is_loaded;
local jid_bare = require "util.jid".bare;

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

-- What comes from somebody who is blocked mod_blocklist stops whatever a list
-- says. mod_blocking writes blocks into a list, as ejabberd does, of which the
-- one that hides a session takes the place, and then the gateway sees to it.
module:hook("stream-features", function (event)
	if event.origin.username and is_loaded(module.host, "blocklist")
		and not is_loaded(module.host, "blocking") then
		event.features:tag("blocking-apart", { xmlns = "urn:trunkline:gateway:0" }):up();
	end
end);
