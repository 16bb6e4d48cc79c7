-- Rooms whose door Trunkline keeps, by the community module mod_muc_http_auth,
-- which is not in Debian. docs/rooms.md says how to install it, and why each line
-- is here.
--
-- These rooms keep no archive: the module guards the door, and an archive has none.
-- For rooms with one, see rooms-archived.cfg.lua.
Component "rooms.example.org" "muc"
    modules_enabled = { "muc_http_auth" }
    muc_http_auth_url = "http://127.0.0.1:8081/muc/authorize"
    -- the word Bearer, a space, and what is in secrets.muc_secret_file
    muc_http_auth_authorization_header = "Bearer THE-MUC-SECRET"
    muc_http_auth_authorize_registration = true

    -- Only these people make rooms. Without it, whoever is turned away from a room
    -- that does not exist yet becomes its owner.
    restrict_room_creation = true
    admins = { "alice@example.org" }

    muc_room_default_persistent = true
    muc_room_default_public = false
