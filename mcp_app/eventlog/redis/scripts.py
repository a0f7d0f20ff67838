"""What Redis does in one step each, in Lua. Every key of one script is in one slot; the clock is never the nodes'.

A run is a hash and a stream beside it. Fields of the hash: `record` as it was created, in `format`; `owner`, `policy`,
`extra`, `attempt`, `last`, `finish` (bytes of all entries so far), `code`, `until`, which change; `oldest`, the first
number that may be read, and `start`, the bytes of all entries before it; `entries` and `bytes`, how many are kept;
`shown`, the last number that may be read; `history`, that of the primary to which its owner wrote last. The id of an
entry in the stream is its number, so that one cannot be there twice. Its fields: `d`, the event, and `e`, the bytes of
all entries up to it.

The channel of a run, and of a node, has the name of KEYS[1]. A message of it is the last number that may be read, or 0:
look yourself.
"""

from __future__ import annotations

from .script import Script

SKIPPED = 2**20
"""Numbers that a run skips where its owner and the primary have died together: more than a primary can have shown and
not passed on. Whoever saw one of these is told `purged`, and not given another event under the same number."""

# The stream drops a hundred entries at a time (~), which is what Redis does cheaply; what may be read is exact.
_TRIM = """
local function trim(run, stream, last, finish, entries, bytes, oldest, start)
    local bound = last - entries + 1
    while oldest < last and (oldest < bound or finish - start > bytes) do
        local batch = redis.call('XRANGE', stream, oldest .. '-0', '+', 'COUNT', 32)
        if #batch == 0 then break end
        for _, entry in ipairs(batch) do
            if oldest >= last or (oldest >= bound and finish - start <= bytes) then break end
            oldest = oldest + 1
            start = tonumber(entry[2][4])
        end
    end
    redis.call('HSET', run, 'oldest', oldest, 'start', start)
    redis.call('XTRIM', stream, 'MINID', '~', oldest .. '-0')
    return start
end
"""

CREATE = Script(
    """
-- KEYS run, stream. ARGV owner, deadline in ms, ms that it is kept behind it, then the fields and values of the hash.
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner then return owner == ARGV[1] and 'done' or 'taken' end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], unpack(ARGV, 4))
redis.call('PEXPIREAT', KEYS[1], math.max(tonumber(redis.call('TIME')[1]) * 1000, tonumber(ARGV[2])) + ARGV[3])
return 'done'
"""
)

APPEND = Script(
    _TRIM
    + """
-- KEYS run, stream. ARGV owner, first, history, show (1 or 0), code, until, until in ms, then size and event.
local run = redis.call('HMGET', KEYS[1], 'owner', 'last', 'finish', 'code', 'entries', 'bytes', 'oldest', 'start',
    'history')
if not run[1] then return {'unknown'} end
if run[1] ~= ARGV[1] then return {'fenced', run[1]} end
local first, last, finish = tonumber(ARGV[2]), tonumber(run[2]), tonumber(run[3])
if first > last + 1 then return {'gap', last} end
if run[9] ~= ARGV[3] then redis.call('HSET', KEYS[1], 'history', ARGV[3]) end
local skipped = last + 1 - first
if 8 + 2 * skipped > #ARGV then return {'done', last, finish - run[8]} end
if run[4] then return {'ended'} end
for at = 8 + 2 * skipped, #ARGV, 2 do
    last, finish = last + 1, finish + tonumber(ARGV[at])
    redis.call('XADD', KEYS[2], last .. '-0', 'd', ARGV[at + 1], 'e', finish)
end
local fields = {'last', last, 'finish', finish}
if ARGV[4] == '1' then fields[5], fields[6] = 'shown', last end
if ARGV[5] ~= '' then
    for _, each in ipairs({'code', ARGV[5], 'until', ARGV[6]}) do fields[#fields + 1] = each end
end
redis.call('HSET', KEYS[1], unpack(fields))
local entries, bytes, oldest, start = tonumber(run[5]), tonumber(run[6]), tonumber(run[7]), tonumber(run[8])
if last - oldest >= entries + 32 or finish - start > bytes then
    start = trim(KEYS[1], KEYS[2], last, finish, entries, bytes, oldest, start)
end
if ARGV[4] == '1' then redis.call('SPUBLISH', KEYS[1], ARGV[5] == '' and last or 0) end
-- At the end, and at the first entry, which has made the stream. Last of all: a time that has passed removes the run.
if ARGV[5] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[7]) end
if ARGV[5] ~= '' or oldest > tonumber(run[2]) then
    redis.call('PEXPIREAT', KEYS[2], redis.call('PEXPIRETIME', KEYS[1]))
end
return {'done', last, finish - start}
"""
)

CONFIRM = Script(
    """
-- KEYS run. ARGV owner, last number that its owner has written, history.
local run = redis.call('HMGET', KEYS[1], 'owner', 'last')
if run[1] == ARGV[1] and tonumber(run[2]) >= tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], 'history', ARGV[3])
end
return 1
"""
)

SHOW = Script(
    """
-- KEYS run. ARGV last: what is at enough replicas may be read.
local run = redis.call('HMGET', KEYS[1], 'shown', 'last', 'code')
if run[1] and tonumber(run[1]) < tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'shown', ARGV[1])
    redis.call('SPUBLISH', KEYS[1], run[3] and 0 or ARGV[1])
end
return 1
"""
)

READ = Script(
    """
-- KEYS run, stream. ARGV after, most entries, most bytes.
local run = redis.call('HMGET', KEYS[1], 'shown', 'oldest', 'last', 'code', 'entries')
if not run[1] then return {'unknown'} end
local after, shown = tonumber(ARGV[1]), tonumber(run[1])
if after >= shown then
    if run[4] and shown == tonumber(run[3]) then return {'ended'} end
    return {'wait', shown}
end
local oldest = math.max(tonumber(run[2]), tonumber(run[3]) - tonumber(run[5]) + 1)
if after + 1 < oldest then return {'purged', oldest} end
local found, bytes, left = {}, 0, math.min(tonumber(ARGV[2]), shown - after)
while left > 0 do
    local batch = redis.call('XRANGE', KEYS[2], (after + 1) .. '-0', '+', 'COUNT', math.min(16, left))
    if #batch == 0 then break end
    for _, entry in ipairs(batch) do
        after, left = after + 1, left - 1
        bytes = bytes + #entry[2][2]
        if #found > 0 and (entry[1] ~= after .. '-0' or bytes > tonumber(ARGV[3])) then
            return {'found', unpack(found)}
        end
        if entry[1] ~= after .. '-0' then return {'purged', after + 1} end
        found[#found + 1] = entry[2][2]
        found[#found + 1] = entry[2][4]
    end
end
if #found == 0 then return {'purged', after + 2} end
return {'found', unpack(found)}
""",
    "no-writes",
)

TAKE = Script(
    """
-- KEYS run, stream. ARGV dead owner, new owner, newest format, history, numbers to skip, ms that it is kept.
local run = redis.call('HMGET', KEYS[1], 'owner', 'code', 'format', 'history', 'last', 'shown', 'finish')
if not run[1] then return 'gone' end
if run[1] ~= ARGV[1] then return 'gone' end
if run[2] then
    redis.call('HSET', KEYS[1], 'shown', run[5])
    redis.call('SPUBLISH', KEYS[1], 0)
    return 'gone'
end
if tonumber(run[3]) > tonumber(ARGV[3]) then return 'newer' end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'shown', run[5])
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
if run[4] ~= ARGV[4] then
    local last = tonumber(run[5]) + tonumber(ARGV[5])
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[1], 'last', last, 'shown', last, 'oldest', last + 1, 'start', run[7], 'history', ARGV[4])
end
redis.call('PEXPIRE', KEYS[1], ARGV[6], 'GT')
redis.call('PEXPIRE', KEYS[2], ARGV[6], 'GT')
redis.call('SPUBLISH', KEYS[1], 0)
return 'taken'
"""
)

AMEND = Script(
    """
-- KEYS run. ARGV owner, then fields and values.
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return 'unknown' end
if owner ~= ARGV[1] then return 'fenced' end
if #ARGV > 1 then redis.call('HSET', KEYS[1], unpack(ARGV, 2)) end
return 'done'
"""
)

KEEP = Script(
    """
-- KEYS run, stream. ARGV until in ms.
local run = redis.call('HMGET', KEYS[1], 'owner', 'code')
if not run[1] then return 'unknown' end
if run[2] then
    redis.call('PEXPIREAT', KEYS[1], ARGV[1], 'GT')
    redis.call('PEXPIREAT', KEYS[2], ARGV[1], 'GT')
end
return 'done'
"""
)

FORGET = Script(
    """
-- KEYS run, stream. Returns whose it was.
local owner = redis.call('HGET', KEYS[1], 'owner')
if redis.call('DEL', KEYS[1], KEYS[2]) > 0 then redis.call('SPUBLISH', KEYS[1], 0) end
return owner
"""
)

HOLD = Script(
    """
-- KEYS lease, runs of the node. ARGV run: whoever takes over from this node finds it there.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
)

LEAVE = Script(
    """
-- KEYS lease, messages.
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SPUBLISH', KEYS[1], 0)
return 1
"""
)

SEND = Script(
    """
-- KEYS lease, messages. ARGV message, most.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'away' end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 'full' end
redis.call('XADD', KEYS[2], '*', 'd', ARGV[1])
redis.call('SPUBLISH', KEYS[1], 0)
return 'sent'
"""
)

RECEIVE = Script(
    """
-- KEYS lease, messages. ARGV id of the first that is new, or empty; most.
if ARGV[1] ~= '' then redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[1]) end
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
return redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[2])
"""
)

PUT = Script(
    """
-- KEYS document. ARGV value, until in ms, version or empty.
local version = tonumber(redis.call('HGET', KEYS[1], 'v') or 0)
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= version then
    return {version, redis.call('HGET', KEYS[1], 'd') or ''}
end
redis.call('HSET', KEYS[1], 'v', version + 1, 'd', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return {}
"""
)
