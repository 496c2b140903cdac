-- The world of a script, made once for a state. What scripts see are Lua functions around those of
-- the host: an error must come to a script as a string or table, and the host can only give values.
-- Whoever catches errors here (pcall, xpcall, coroutine.resume, load) lets those through that end
-- the run: a limit, or what cannot be done.

local host, about = ...
local modern, valkey = about.modern, about.valkey

local G = _G
local pcall, xpcall, error, type, tostring = pcall, xpcall, error, type, tostring
local next, pairs, rawget, rawset = next, pairs, rawget, rawset
local setmetatable, getmetatable, setfenv = setmetatable, getmetatable, setfenv
local resume, concat, sub = coroutine.resume, table.concat, string.sub
local collectgarbage = collectgarbage

-- Gives what a host function gave, or raises its error with the place of its caller.
local function give(ok, ...)
  if ok then return ... end
  error((...), 3)
end

local function wrap(f)
  return function(...) return give(f(...)) end
end

-- The same for errors without a place.
local function give_plain(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local function wrap_plain(f)
  return function(...) return give_plain(f(...)) end
end

local function caught(ok, ...)
  if ok then return true, ... end
  local err = ...
  if host.fatal(err) then error(err, 0) end
  if modern and type(err) == 'table' then
    local text = err.err
    if type(text) == 'string' or type(text) == 'number' then return false, text end
  end
  return false, ...
end

local function caught_as_it_is(ok, ...)
  if not ok and host.fatal((...)) then error((...), 0) end
  return ok, ...
end

G.pcall = function(...) return caught(pcall(...)) end

G.xpcall = function(f, handler)
  return caught_as_it_is(xpcall(f, function(err)
    if host.fatal(err) then return err end
    return handler(err)
  end))
end

G.coroutine.resume = function(...) return caught_as_it_is(resume(...)) end

G.loadstring = wrap_plain(function(...) return host.load(...) end)

G.load = function(read, name)
  if type(read) ~= 'function' then
    local got = read == nil and 'no value' or type(read)
    error("bad argument #1 to 'load' (function expected, got " .. got .. ")", 2)
  end
  local parts, n = {}, 0
  local ok, err = pcall(function()
    while true do
      local part = read()
      if part == nil or part == '' then return end
      if type(part) ~= 'string' and type(part) ~= 'number' then
        error('reader function must return a string', 0)
      end
      n = n + 1
      parts[n] = part
    end
  end)
  if not ok then
    if host.fatal(err) then error(err, 0) end
    return nil, err
  end
  return give_plain(host.load(concat(parts), name or '=(load)'))
end

-- Pattern matching is the host's: that of the C library runs as long and as deep as it likes.
local string = G.string
string.find = wrap(host.find)
string.match = wrap(host.match)
string.rep = wrap(host.rep)

string.gmatch = function(s, p)
  give(host.check(s, p))
  local at = 0
  local function take(ok, to, ...)
    if not ok then error(to, 3) end
    at = to
    return ...
  end
  return function() return take(host.gmatch(s, p, at)) end
end
string.gfind = string.gmatch

string.gsub = function(s, p, by, most)
  local kind = type(by)
  if kind ~= 'function' and kind ~= 'table' then return give(host.gsub(s, p, by, most)) end
  local size, limit = give(host.check(s, p, most))
  local parts, n, at, count, problem = {}, 0, 0, 0, nil
  local function step(ok, from, to, ...)
    if not ok then problem = from return false end
    if not from then return false end
    local value
    if kind == 'function' then value = by(...) else value = by[(...)] end
    local what = type(value)
    if not value then
      value = sub(s, from + 1, to)
    elseif what ~= 'string' and what ~= 'number' then
      problem = 'invalid replacement value (a ' .. what .. ')'
      return false
    end
    n = n + 1
    parts[n] = sub(s, at + 1, from)
    n = n + 1
    parts[n] = value
    count = count + 1
    at = to
    if to == from then
      n = n + 1
      parts[n] = sub(s, at + 1, at + 1)
      at = at + 1
    end
    return true
  end
  while count < limit and at <= size and step(host.seek(s, p, at)) do end
  if problem then error(problem, 2) end
  n = n + 1
  parts[n] = sub(s, at + 1)
  return concat(parts), count
end

local math = G.math
math.random = wrap(host.random)
math.randomseed = wrap(host.randomseed)

-- Garbage is the host's matter: a script may ask, and changes nothing.
G.collectgarbage = function(what, ...)
  if what == 'stop' or what == 'restart' then return 0 end
  if what == 'setpause' or what == 'setstepmul' then return 200 end
  return collectgarbage(what, ...)
end

local function library(names)
  local lib = {}
  for name, f in pairs(names) do
    lib[name] = type(f) == 'function' and wrap(f) or f
  end
  return lib
end

G.struct = library(host.struct)
G.bit = library(host.bit)
G.cmsgpack = library(host.cmsgpack)
G.cjson = library(host.cjson)
G.cjson.new = function()
  local lib = library(host.new_cjson())
  lib.new = G.cjson.new
  return lib
end

local perform
local redis = {}
for name, value in pairs(about.constants) do redis[name] = value end

local function outside()
  error(modern and { err = 'ERR redis.call/pcall can only be called inside a script invocation' }
    or 'redis.call/pcall can only be called inside a script invocation', 0)
end

redis.call = function(...)
  local ok, value = (perform or outside)(...)
  if ok then return value end
  error(modern and value or value.err, 0)
end

redis.pcall = function(...)
  local _, value = (perform or outside)(...)
  return value
end

for name, f in pairs(host.plain) do redis[name] = wrap_plain(f) end
redis.debug = function() end
redis.breakpoint = function() return false end
G.redis = redis
if valkey then G.server = redis end

local hidden = { 'dofile', 'loadfile', 'require', 'module', 'package', 'debug', 'io', 'newproxy' }
for _, name in pairs(hidden) do G[name] = nil end
if modern then
  G.print, G.getfenv, G.setfenv = nil, nil, nil
  if about.clock then G.os = { clock = function() return 0 end } end
else
  G.print = function() end
  -- Its finalisers would run at any time.
  G.newproxy = function() host.cannot('newproxy') end
  G.__redis__compare_helper = function(a, b)
    return (a == false and '' or a) < (b == false and '' or b)
  end
end
G.__redis__err__handler = function(err) return err end
if valkey then G.__server__err__handler = G.__redis__err__handler end
if about.functions then
  redis.replicate_commands, redis.breakpoint, redis.debug = nil, nil, nil
  G.__redis__err__handler, G.__server__err__handler = nil, nil
end

-- What is there of the world while a library is loaded; nil at any other time.
local loading
local registered

local globals = G
if modern then
  -- Tables of the servers that nobody may change are these here: empty ones in front of them.
  local behind = {}
  local function readonly() error('Attempt to modify a readonly table', 2) end
  local function protect(t)
    local front = setmetatable({}, { __index = t, __newindex = readonly })
    behind[front] = t
    return front
  end
  for name, value in pairs(G) do
    if type(value) == 'table' and value ~= G then rawset(G, name, protect(value)) end
  end
  if valkey then G.server = G.redis end
  globals = setmetatable({}, {
    __index = function(_, name)
      local value
      if loading then value = loading[name] else value = rawget(G, name) end
      if value == nil then
        if type(name) ~= 'string' and type(name) ~= 'number' then
          error('Second argument to luaProtectedTableError must be a string or number', 2)
        end
        error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
      end
      return value
    end,
    __newindex = readonly,
  })
  behind[globals] = G
  G._G = globals

  local text_meta = getmetatable('')
  local text_front = protect({ __index = G.string })
  local globals_front = protect({ __index = getmetatable(globals).__index })
  text_meta.__index = behind[G.string]

  local function next_of(t, key) return next(behind[t] or t, key) end
  G.next = next_of
  G.pairs = function(t)
    if behind[t] then return next_of, t, nil end
    return pairs(t)
  end
  G.rawget = function(t, key) return rawget(behind[t] or t, key) end
  G.rawset = function(t, key, value)
    if behind[t] then error('Attempt to modify a readonly table', 0) end
    return rawset(t, key, value)
  end
  G.setmetatable = function(t, ...)
    if behind[t] then error('Attempt to modify a readonly table', 0) end
    return setmetatable(t, ...)
  end
  G.getmetatable = function(...)
    local t = ...
    if t == globals then return globals_front end
    if t ~= nil and behind[t] then return nil end
    if type(t) == 'string' then return text_front end
    return getmetatable(...)
  end
else
  setmetatable(G, {
    __newindex = function(t, name, value)
      local what = host.what()
      if what and what ~= 'main' and what ~= 'C' then
        error("Script attempted to create global variable '" .. tostring(name) .. "'", 2)
      end
      rawset(t, name, value)
    end,
    __index = function(t, name)
      local what = host.what()
      if what and what ~= 'C' then
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
      end
      return rawget(t, name)
    end,
  })
end

local function refuse(why) error({ err = 'ERR ' .. why }, 0) end

local function is_text(value) return type(value) == 'string' or type(value) == 'number' end

-- Whether the flags of a function say that it does not write.
local function reads_only(flags)
  local known = { ['no-writes'] = true, ['allow-oom'] = true, ['allow-stale'] = true,
    ['no-cluster'] = true, ['allow-cross-slot-keys'] = true }
  local reads, at = false, 1
  while flags[at] ~= nil do
    if not known[flags[at]] then refuse('unknown flag given') end
    reads = reads or flags[at] == 'no-writes'
    at = at + 1
  end
  return reads
end

local function register_function(...)
  local one, other = ...
  local count = select('#', ...)
  if loading == nil then
    refuse('redis.register_function can only be called on FUNCTION LOAD command')
  end
  if count < 1 or count > 2 then refuse('wrong number of arguments to redis.register_function') end
  local name, callback, reads = one, other, false
  if count == 1 then
    if type(one) ~= 'table' then
      refuse('calling redis.register_function with a single argument is only applicable to Lua table')
    end
    name, callback = nil, nil
    for key, value in next, one do
      if key == 'function_name' and is_text(value) then name = value
      elseif key == 'description' and is_text(value) then
      elseif key == 'callback' and type(value) == 'function' then callback = value
      elseif key == 'flags' and type(value) == 'table' then reads = reads_only(value)
      else refuse('unknown argument given to redis.register_function') end
    end
    -- Servers crash over this.
    if name == nil or callback == nil then error({ crash = true }, 0) end
  end
  if not is_text(name) then
    refuse('first argument to redis.register_function must be a string')
  end
  if type(callback) ~= 'function' then
    refuse('second argument to redis.register_function must be a function')
  end
  name = tostring(name)
  if not host.is_name(name) then
    refuse('Function names can only contain letters, numbers, or underscores(_) and must be at least ' ..
      'one character long')
  end
  for n = 1, #registered, 3 do
    if registered[n] == name then refuse('Function already exists in the library') end
  end
  local n = #registered
  registered[n + 1], registered[n + 2], registered[n + 3] = name, callback, reads
end

local early = { register_function = register_function, log = redis.log }
for name, value in pairs(about.constants) do
  if sub(name, 1, 5) ~= 'REPL_' then early[name] = value end
end
setmetatable(early, { __index = function(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end })
local front = setmetatable({}, {
  __index = early,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})

return {
  globals = globals,
  -- Runs a script: whether it ended well, and what it gave or raised.
  run = function(f, call, keys, args)
    perform = call
    rawset(G, 'KEYS', keys)
    rawset(G, 'ARGV', args)
    local ok, value = pcall(f)
    perform = nil
    return caught_as_it_is(ok, value)
  end,
  -- Loads a library: whether it ended well, what it raised, and its functions: name, function and whether
  -- it only reads, in turn.
  library = function(f)
    loading, registered = { redis = front, server = valkey and front or nil }, {}
    local ok, value = pcall(f)
    loading = nil
    ok, value = caught_as_it_is(ok, value)
    return ok, value, registered
  end,
  -- Runs a function of a library.
  call = function(f, call, keys, args)
    perform = call
    local ok, value = pcall(f, keys, args)
    perform = nil
    return caught_as_it_is(ok, value)
  end,
  -- A function that an old server gave this name.
  named = function(name) return rawget(G, name) end,
  forget = function(name) rawset(G, name, nil) end,
}
