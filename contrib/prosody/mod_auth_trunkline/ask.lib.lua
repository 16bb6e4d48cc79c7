-- How mod_auth_trunkline asks Trunkline: one POST, one answer or none.
--
-- Copyright The Trunkline authors. Licensed under the Apache License 2.0.
--
-- luacheck: std lua54
-- luacheck: globals module prosody

local http = require "net.http";
local json = require "util.json";
local new_promise = require "util.promise".new;
local timers = require "util.timer";

-- What the answer holds, or nil and what is wrong with it.
local function read(body, code)
	if code == 0 then
		return nil, "no connection: " .. tostring(body);
	elseif code == 401 then
		return nil, "Trunkline refuses the shared secret; compare trunkline_secret with Trunkline's configuration";
	elseif code == 503 then
		return nil, "Trunkline cannot tell at the moment";
	elseif code ~= 200 then
		return nil, "unexpected HTTP status " .. tostring(code);
	end
	local answer = json.decode(body or "");
	if type(answer) ~= "table" then
		return nil, "this is not Trunkline's answer";
	end
	return answer;
end

-- A promise, kept within the timeout, of { answer = table } or of
-- { trouble = text, code = the HTTP status or nil }.
local function ask(options, url, question)
	return new_promise(function (resolve)
		local request, timer;
		local answered = false;
		local function finish(answer, trouble, code)
			if answered then return; end
			answered = true;
			if timer then timers.stop(timer); end
			resolve({ answer = answer; trouble = trouble; code = code });
		end
		-- Not module:add_timer: that one is lost when the module is reloaded.
		timer = timers.add_task(options.timeout, function ()
			if answered then return; end
			if request then http.destroy_request(request); end
			finish(nil, string.format("no answer within %g seconds", options.timeout));
		end);
		request = http.request(url, {
			method = "POST";
			headers = {
				["Authorization"] = "Bearer " .. options.secret;
				["Content-Type"] = "application/json";
				["Accept"] = "application/json";
			};
			body = json.encode(question);
		}, function (body, code)
			local answer, trouble = read(body, code);
			finish(answer, trouble, code);
		end);
	end);
end

-- A function to tell what is wrong, or nil when nothing is: it logs when trouble
-- begins, changes or ends, not each time.
local function new_trouble_log(begins, ends)
	local current;
	return function (trouble)
		if trouble == current then return; end
		current = trouble;
		if trouble then
			module:log("error", begins, trouble);
		else
			module:log("info", ends);
		end
	end
end

return function (options)
	return {
		ask = function (url, question) return ask(options, url, question); end;
		new_trouble_log = new_trouble_log;
	};
end
