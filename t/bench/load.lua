-- What wrk sends: load.lua FILE TOKEN ID. FILE has a request body a line, which
-- take turns. A log_id that is all @ stands for one that never was before: ID,
-- and a number that grows. It stands twice in a record, as Auth0 has it.

local requests = {}
local turn, number, prefix = 0, 0, ""

-- Where nothing changes, the request itself; else what is between the ids.
local function pieces(request, mark)
	local list, from = {}, 1
	while true do
		local first, last = request:find(mark, from, true)
		list[#list + 1] = request:sub(from, first and first - 1)
		if not first then break end
		from = last + 1
	end
	return #list == 1 and request or list
end

local function with_ids(list)
	local out, id = { list[1] }, nil
	for i = 2, #list do
		if i % 2 == 0 then
			number = number + 1
			id = prefix .. string.format("%012d", number)
		end
		out[#out + 1] = id
		out[#out + 1] = list[i]
	end
	return table.concat(out)
end

function init(args)
	prefix = args[3]
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/json"
	wrk.headers["Authorization"] = args[2]
	for body in io.lines(args[1]) do
		requests[#requests + 1] = pieces(wrk.format(nil, nil, nil, body),
			string.rep("@", #prefix + 12))
	end
end

function request()
	turn = turn % #requests + 1
	local this = requests[turn]
	return type(this) == "string" and this or with_ids(this)
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format("\nresult %d %d %d %d %d\n", summary.requests,
		summary.duration, latency:percentile(50), latency:percentile(99),
		e.connect + e.read + e.write + e.status + e.timeout))
end
