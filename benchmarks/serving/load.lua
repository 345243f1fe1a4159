-- Posts one body, to each of the paths in turn. BODY names its file; HEADER is the length of the
-- JSON part of a binary body; PATHS are separated by spaces.
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
if os.getenv("HEADER") then
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.headers["Inference-Header-Content-Length"] = os.getenv("HEADER")
else
  wrk.headers["Content-Type"] = "application/json"
end

local requests, next_one = {}, 0

function init()
  for path in os.getenv("PATHS"):gmatch("%S+") do
    requests[#requests + 1] = wrk.format(nil, path)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
