-- The incarnation of a namespace and its clock; begins a new one where the old cannot be trusted.
-- KEYS: head, log. ARGV: the server's run id, the incarnation to begin, milliseconds to live, the incarnation the node
-- knows (or empty), and the generation it has seen of that.
local head = redis.call('HMGET', KEYS[1], 'i', 'r', 'g')
local incarnation, generation = head[1], tonumber(head[3] or '')
local lost = not incarnation or not generation or head[2] ~= ARGV[1]
if not lost and incarnation == ARGV[4] and generation < tonumber(ARGV[5]) then
  lost = true
end
if lost then
  -- The log first: it may be what the server is full of.
  redis.call('UNLINK', KEYS[1], KEYS[2])
  incarnation, generation = ARGV[2], 0
  redis.call('HSET', KEYS[1], 'i', incarnation, 'r', ARGV[1], 'g', '0')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {incarnation, string.format('%.0f', generation)}
