-- Prosody's configuration is Lua that sets globals.
files["contrib/**/*.cfg.lua"] = { global = false }
