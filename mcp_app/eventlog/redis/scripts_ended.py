"""What Redis does in one step each with the list of runs that have ended. KEYS are always the seven of
`store_ended.py`, in this order: order, runs, until, read, counts, bytes, total. The clock is that of Redis."""

from __future__ import annotations

from .script import Script

EXPIRED_AT_ONCE = 1000
"""Runs that one call crosses out: milliseconds of Redis' time."""

_SHARED = """
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local millis = math.floor(micros / 1000)
local function remove(run)
    if redis.call('ZREM', KEYS[1], run) == 0 then return 0 end
    local size, principal = string.match(redis.call('HGET', KEYS[2], run), '(%d+) (.*)')
    redis.call('HDEL', KEYS[2], run)
    redis.call('ZREM', KEYS[3], run)
    redis.call('ZREM', KEYS[4], run)
    if tonumber(redis.call('ZINCRBY', KEYS[5], -1, principal)) <= 0 then
        redis.call('ZREM', KEYS[5], principal)
        redis.call('ZREM', KEYS[6], principal)
    else
        redis.call('ZINCRBY', KEYS[6], -size, principal)
    end
    redis.call('DECRBY', KEYS[7], size)
    return 1
end
"""

LIST_ENDED = Script(
    _SHARED
    + """
-- ARGV run, its bytes, principal, until in ms.
if redis.call('ZADD', KEYS[1], 'NX', micros, ARGV[1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
    redis.call('ZINCRBY', KEYS[5], 1, ARGV[3])
    redis.call('ZINCRBY', KEYS[6], ARGV[2], ARGV[3])
    redis.call('INCRBY', KEYS[7], ARGV[2])
end
redis.call('ZADD', KEYS[3], 'GT', ARGV[4], ARGV[1])
return 1
"""
)

LIST_READ = Script(
    """
-- ARGV run, until in ms.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    redis.call('ZADD', KEYS[3], 'GT', ARGV[2], ARGV[1])
    redis.call('ZADD', KEYS[4], 'GT', ARGV[2], ARGV[1])
end
return 1
"""
)

UNLIST = Script(
    _SHARED
    + """
-- ARGV run, whether it does not matter that somebody reads it.
local read = redis.call('ZSCORE', KEYS[4], ARGV[1])
if ARGV[2] == '0' and read and tonumber(read) > millis then return 0 end
return remove(ARGV[1])
"""
)

TOTALS = Script(
    _SHARED
    + f"""
-- Returns how many were crossed out, as their time is over; then the number and bytes of all, and the most of one.
local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', millis, 'LIMIT', 0, {EXPIRED_AT_ONCE})
for _, run in ipairs(expired) do remove(run) end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', millis)
local function most(key) return redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2] or '0' end
return {{#expired, redis.call('ZCARD', KEYS[1]), redis.call('GET', KEYS[7]) or '0', most(KEYS[5]), most(KEYS[6])}}
"""
)

LISTED = Script(
    """
-- ARGV from which place, to which. Returns runs, about each, and until when each is read.
local runs = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])
if #runs == 0 then return {{}, {}, {}} end
return {runs, redis.call('HMGET', KEYS[2], unpack(runs)), redis.call('ZMSCORE', KEYS[4], unpack(runs))}
""",
    "no-writes",
)

RELEASE = Script(
    """
-- KEYS lock. ARGV token.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
)
