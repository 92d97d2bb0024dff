-- The end of a lease, if it is still held by this token.
-- KEYS: lease. ARGV: token, milliseconds for which nobody need wait for a lease of this key (0: they should).
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  if ARGV[2] == '0' then
    redis.call('UNLINK', KEYS[1])
  else
    redis.call('SET', KEYS[1], '-', 'PX', ARGV[2])
  end
end
return 1
