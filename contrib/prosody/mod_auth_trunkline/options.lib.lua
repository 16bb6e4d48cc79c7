-- What the configuration of the host says to mod_auth_trunkline. A mistake is an
-- error that names the option, and keeps everybody out until it is mended.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local parse_url = require "socket.url".parse;

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
	elseif not url:find("/verify$") then
		mistake('trunkline_url must end in "/verify", not %q', url);
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

local function option_fallback()
	local name = module:get_option_string("trunkline_fallback");
	if name and (name == "trunkline" or not name:find("^[%w_]+$")) then
		mistake('trunkline_fallback must be the name of another authentication module, such as "ldap", not %q', name);
	end
	return name;
end

local url = option_url();

return {
	url = url;
	feed_url = url:gsub("/verify$", "/prosody/revocations");
	secret = option_secret();
	timeout = option_number("trunkline_timeout", 2, 0.1, 30);
	exists_ttl = option_number("trunkline_exists_ttl", 10, 0, 3600);
	poll_every = option_number("trunkline_poll_interval", 2, 0.1, 60);
	fallback = option_fallback();
};
