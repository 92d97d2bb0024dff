-- The clock, and the drops after a generation, oldest first.
-- KEYS: head, log. ARGV: incarnation, generation, how many.
-- Returns {generation, drops}, or {-1, {}} where the incarnation is another.
local head = redis.call('HMGET', KEYS[1], 'i', 'g')
local generation = tonumber(head[2] or '')
if head[1] ~= ARGV[1] or not generation then
  return {-1, {}}
end
if generation == tonumber(ARGV[2]) then
  return {generation, {}}
end
return {generation, redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])}
