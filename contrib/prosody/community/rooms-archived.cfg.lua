-- Rooms with an archive (mod_muc_mam). The archive can be asked for from outside
-- the room, where mod_muc_http_auth is not asked: only the list of members keeps it.
-- So every room is for members, members are made by the room's admins, and
-- Trunkline's rules come on top of that at each join.
Component "groups.example.org" "muc"
    modules_enabled = { "muc_http_auth", "muc_mam" }
    muc_http_auth_url = "http://127.0.0.1:8081/muc/authorize"
    -- the word Bearer, a space, and what is in secrets.muc_secret_file
    muc_http_auth_authorization_header = "Bearer THE-MUC-SECRET"
    muc_http_auth_authorize_registration = true

    restrict_room_creation = true
    admins = { "alice@example.org" }

    muc_room_default_members_only = true
    muc_room_default_persistent = true
    muc_room_default_public = false
