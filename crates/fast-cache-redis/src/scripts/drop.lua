-- Drops: each takes the next generation and a place in the log.
-- KEYS: head, log. ARGV: incarnation, node, milliseconds to live, the length of the log; and for each drop its sequence
-- number, whether it is soft, and what it covers.
-- Returns the last generation, or -1 where the incarnation is another.
if redis.call('HGET', KEYS[1], 'i') ~= ARGV[1] then
  return -1
end
local generation = -1
for at = 5, #ARGV, 3 do
  generation = redis.call('HINCRBY', KEYS[1], 'g', 1)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], string.format('%.0f-0', generation),
    'n', ARGV[2], 'q', ARGV[at], 's', ARGV[at + 1], 'c', ARGV[at + 2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return generation
