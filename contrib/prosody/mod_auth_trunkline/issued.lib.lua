-- Whether a password has the look of those that Trunkline issues, in any spelling
-- that may have been typed. Then nobody but Trunkline is asked about it.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- tokens/backend/issued.go does the same, and tokens/backend/testdata/issued.tsv
-- holds both to one table.
--
-- luacheck: std lua54

-- What people put between the groups of a password: hyphens, spaces, and all that
-- is not ASCII, which holds every other dash and space there is.
local gap = "[-\9-\13 \128-\255]";

-- string.lower may follow the locale.
local function lower(text)
	return (text:gsub("[A-Z]", function (letter) return string.char(letter:byte() + 32); end));
end

local function is_web_token(password)
	local _, dots = password:gsub("%.", "");
	return password:find("^eyJ") ~= nil and dots == 2;
end

return function (password)
	if is_web_token(password) then return true; end
	local typed = lower(password):gsub("^" .. gap .. "+", "");
	if typed:find("^tl[tia]_") or typed:find("^tld" .. gap) then return true; end
	local body = typed:gsub(gap, ""):match("^tld([a-z2-7]+)$");
	return body ~= nil and #body == 24;
end
