-- What an entry's key holds, or the lease to make it.
-- KEYS: entry, lease. ARGV: token, milliseconds of the lease, whether a value is known that is of no use, and the first
-- eight bytes of that, or all.
-- Returns the value, or 1 (the lease is yours), 0 (somebody has it), 2 (nobody need wait).
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' then
  if ARGV[3] == '0' or string.sub(value, 1, 8) ~= ARGV[4] then
    return value
  end
  redis.pcall('UNLINK', KEYS[1])
end
local held = redis.pcall('GET', KEYS[2])
if held == ARGV[1] then
  return 1
elseif held == '-' or type(held) == 'table' then
  return 2
elseif held then
  return 0
end
-- A full or read-only server gives no leases, and is read all the same.
local set = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if type(set) == 'table' and set.ok then
  return 1
end
return 2
