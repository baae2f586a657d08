-- What wrk sends, by the environment: LOAD_MODE is read, change, lookup or evaluate; LOAD_USERS how many users there are; LOAD_KEY the
-- API key; LOAD_PREFIX stands before every path. Random users: for all but change any, for change each once, from position
-- LOAD_FIRST of one fixed random order.
local mode, key = os.getenv('LOAD_MODE'), os.getenv('LOAD_KEY')
local users, first = tonumber(os.getenv('LOAD_USERS')), tonumber(os.getenv('LOAD_FIRST') or '0')
local first_id, prefix = tonumber(os.getenv('LOAD_FIRST_ID')), os.getenv('LOAD_PREFIX')

local headers = { authorization = 'Bearer ' .. key }
local random = math.random

-- A request is made once and cut where the id goes.
local function around(method, path, body)
  local text = wrk.format(method, prefix .. path, headers, body)
  local from, to = text:find('@', 1, true)
  return text:sub(1, from - 1), text:sub(to + 1)
end

local function read()
  local before, after = around('GET', '/v1/users/@/segments' .. os.getenv('LOAD_QUERY'))
  math.randomseed(tonumber(os.getenv('LOAD_SEED')))
  return function()
    return before .. (first_id + random(0, users - 1)) .. after
  end
end

local function change()
  headers['content-type'] = 'application/json'
  local before, after = around('PATCH', '/v1/users/@/segments', os.getenv('LOAD_BODY'))
  math.randomseed(1)
  local order = {}
  for i = 1, users do order[i] = i - 1 end
  for i = users, 2, -1 do
    local j = random(1, i)
    order[i], order[j] = order[j], order[i]
  end
  local position = first
  return function()
    position = position + 1
    return before .. (first_id + order[position]) .. after
  end
end

local function lookup()
  headers['content-type'] = 'application/json'
  math.randomseed(tonumber(os.getenv('LOAD_SEED')))
  local requests = {}
  for i = 1, 200 do
    local ids = {}
    for j = 1, 1000 do ids[j] = '"' .. (first_id + random(0, users - 1)) .. '"' end
    requests[i] = wrk.format('POST', prefix .. '/v1/lookup', headers, '{"user_ids":[' .. table.concat(ids, ',') .. ']}')
  end
  local next = 0
  return function()
    next = next % #requests + 1
    return requests[next]
  end
end

local function evaluate()
  headers['content-type'] = 'application/json'
  math.randomseed(tonumber(os.getenv('LOAD_SEED')))
  local id = string.rep('@', #tostring(first_id)) -- as long as the ids are, so that the length of the body is right
  local path = prefix .. '/ofrep/v1/evaluate/flags/' .. os.getenv('LOAD_FLAG')
  local text = wrk.format('POST', path, headers, '{"context":{"targetingKey":"' .. id .. '"}}')
  local from, to = text:find(id, 1, true)
  local before, after = text:sub(1, from - 1), text:sub(to + 1)
  return function()
    return before .. (first_id + random(0, users - 1)) .. after
  end
end

function init()
  request = ({ read = read, change = change, lookup = lookup, evaluate = evaluate })[mode]()
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\nRESULT {"requests":%d,"bytes":%.0f,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
