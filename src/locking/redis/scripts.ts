import { createHash } from 'node:crypto';

/** Characters of a request id. */
export const REQUEST_LENGTH = 10;
/** How many of its last changes a record remembers. `@version` stays within 64 bytes, where Redis keeps a hash compact. */
export const REMEMBERED_CHANGES = 5;

export interface Script {
  readonly lua: string;
  readonly sha: string;
}
const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });

/*
 * A record is a hash with the user's fields and:
 * - `@version`: `13 bbbbbbbbbbaaaaaaaaaa`, the version and the ids of the requests that made it, the newest first. Every
 *   change adds one, so the n-th id made the version n below the present one. `-14 ...` is a deleted record.
 * - `@fence`: the highest token that wrote it, in decimal digits.
 * - `@born`: the version and the request of its last insertion.
 * A seal is a hash with `token`, `owner`, and the `request` that wrote it with the token it found (`previous`).
 *
 * A script may run twice: when a connection breaks, ioredis sends unfulfilled commands again, and the first copy may
 * have been executed, or wait in the server's buffers. So each recognizes its own request in what it finds, and answers as
 * if it ran for the first time. All reads come before the first write: a script that fails has changed nothing.
 *
 * Answers: w written, n not found, c conflict, e exists, s stale, k skipped, u done but the version is forgotten; each with
 * the version of the record (of its tombstone, 0 for none); s also with the fence.
 */
/** Lua for: `a` is a higher token than `b`. Texts of digits, as numbers in Lua are doubles; false when there is no `a`. */
const above = (a: string, b: string): string =>
  `(${a} and (#${a} > #${b} or (#${a} == #${b} and ${a} > ${b})))`;

const SHARED = `
local function text(number) return string.format('%.0f', number) end
local function parsed(stored)
  if not stored then return 0, true, '' end
  local number, log = string.match(stored, '^(-?%d+) (.*)$')
  number = tonumber(number)
  return math.abs(number), number < 0, log
end
local function maker(version, log, made)
  local from = (version - made) * ${REQUEST_LENGTH}
  if from < 0 then return '' end
  return string.sub(log, from + 1, from + ${REQUEST_LENGTH})
end
local function highest(fence, sealed)
  return ${above('sealed', "(fence or '')")} and sealed or fence
end`;

const KEPT = (REMEMBERED_CHANGES - 1) * REQUEST_LENGTH;

/**
 * One update, the common case, with as little work as can be: the arguments become those of HSET.
 * KEYS record [seal]; ARGV version and a blank, `version+1 request`, ['@fence', token], then names and values.
 */
export const UPDATE = script(`
local expected, head = ARGV[1], ARGV[2]
local stored, fence, sealed, stale
if KEYS[2] then
  local found, token = redis.call('HMGET', KEYS[1], '@version', '@fence'), ARGV[4]
  stored, fence = found[1], found[2]
  sealed = redis.call('HGET', KEYS[2], 'token')
  stale = ${above('fence', 'token')} or ${above('sealed', 'token')}
else
  stored = redis.call('HGET', KEYS[1], '@version')
end
local size = #expected
if not stale and stored and string.sub(stored, 1, size) == expected then
  ARGV[1] = '@version'
  ARGV[2] = head .. string.sub(stored, size + 1, size + ${KEPT})
  redis.call('HSET', KEYS[1], unpack(ARGV))
  return 'w'
end
${SHARED}
local version, gone, log = parsed(stored)
if maker(version, log, tonumber(expected) + 1) == string.sub(head, -${REQUEST_LENGTH}) then return 'w' end
if stale then return 's' .. text(version) .. ' ' .. highest(fence, sealed) end
return (gone and 'n' or 'c') .. text(version)`);

/**
 * Any batch. Operations on the same record see what those before them did.
 * KEYS records, then seals; ARGV request, mode, milliseconds that a tombstone stays (0: for ever), number of records; then
 * of each operation kind, record, version, seal (0: none), token, number of names and values, names and values.
 */
export const WRITE = script(`
${SHARED}
local request, mode, lifetime = ARGV[1], ARGV[2], ARGV[3]
local records, done = {}, false
for i = 1, tonumber(ARGV[4]) do
  local found = redis.call('HMGET', KEYS[i], '@version', '@fence', '@born')
  local version, gone, log = parsed(found[1])
  local bornAt, bornBy = string.match(found[3] or '', '^(%d+) (.*)$')
  local mine = bornBy == request
  for at = version, version - ${REMEMBERED_CHANGES - 1}, -1 do mine = mine or maker(version, log, at) == request end
  done = done or mine
  records[i] = { version = version, gone = gone, log = log, fence = found[2], born = found[3], mine = mine, claimed = {},
    bornAt = mine and bornBy == request and bornAt, foundVersion = version, foundLog = log, foundGone = gone, set = {} }
end

local function seal(index) return index ~= '0' and redis.call('HGET', KEYS[tonumber(index)], 'token') end

-- What a request answers about an operation that an earlier copy of it carried out; nothing when none did.
local function repeated(record, kind, version)
  if mode == 'each' and not record.mine then return end
  if kind == 'insert' then
    if record.bornAt then return 'w' .. record.bornAt end
    return mode ~= 'each' and 'u' or nil
  end
  local made = version + 1
  if mode == 'each' then
    if record.claimed[made] or kind == 'check' then return end
    if maker(record.foundVersion, record.foundLog, made) ~= request then return end
    record.claimed[made] = true
  end
  return 'w' .. text((kind == 'update' or kind == 'touch') and made or version)
end

local function change(record, fenced, token)
  record.version = record.version + 1
  record.log = request .. string.sub(record.log, 1, ${KEPT})
  record.changed = true
  if fenced then record.fence = token end
  return record.version
end

local function perform(record, kind, version, sealIndex, token, first, last)
  local fenced = sealIndex ~= '0'
  local current = fenced and highest(record.fence, seal(sealIndex))
  if ${above('current', 'token')} then return 's' .. text(record.version) .. ' ' .. current end
  if kind == 'insert' then
    if not record.gone then return 'e' .. text(record.version) end
    record.gone = false
    record.born = text(change(record, fenced, token)) .. ' ' .. request
  else
    if record.gone then return 'n' .. text(record.version) end
    if record.version ~= version then return 'c' .. text(record.version) end
    if kind == 'check' then return 'w' .. text(version) end
    change(record, fenced, token)
    if kind == 'delete' then
      record.gone, record.wiped, record.set = true, true, {}
      return 'w' .. text(version)
    end
  end
  for at = first, last do table.insert(record.set, ARGV[at]) end
  return 'w' .. text(record.version)
end

local answers, refused, at = {}, false, 5
while ARGV[at] do
  local kind, record, version = ARGV[at], records[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
  local last = at + 5 + tonumber(ARGV[at + 5])
  local answer = done and repeated(record, kind, version)
  if not answer then answer = perform(record, kind, version, ARGV[at + 3], ARGV[at + 4], at + 6, last) end
  refused = refused or string.sub(answer, 1, 1) ~= 'w'
  table.insert(answers, answer)
  at = last + 1
end
if mode ~= 'each' then
  if done then return answers end
  if refused then
    -- With the version found, from which the store tells whether a copy may have been carried out before.
    local at = 5
    for i = 1, #answers do
      local version = records[tonumber(ARGV[at + 1])].foundVersion
      answers[i] = string.gsub(answers[i], '^w.*$', 'k' .. text(version))
      at = at + 6 + tonumber(ARGV[at + 5])
    end
    return answers
  end
end

for i, record in ipairs(records) do
  if record.changed then
    local key, set = KEYS[i], record.set
    if record.wiped then redis.call('DEL', key) end
    table.insert(set, '@version')
    table.insert(set, (record.gone and '-' or '') .. text(record.version) .. ' ' .. record.log)
    if record.fence then table.insert(set, '@fence') table.insert(set, record.fence) end
    if record.born then table.insert(set, '@born') table.insert(set, record.born) end
    -- unpack has a limit near 8,000.
    for from = 1, #set, 4000 do redis.call('HSET', key, unpack(set, from, math.min(from + 3999, #set))) end
    if record.gone and lifetime ~= '0' then redis.call('PEXPIRE', key, lifetime)
    elseif record.foundGone and not record.gone then redis.call('PERSIST', key) end
  end
end
return answers`);

/** KEYS seal; ARGV token, owner (empty: not known), request. Answers `p` with the token before, or `s` with the present one. */
export const SEAL = script(`
local token, owner, request = ARGV[1], ARGV[2], ARGV[3]
local found = redis.call('HMGET', KEYS[1], 'token', 'owner', 'request', 'previous')
local present, holder = found[1], found[2]
if present and found[3] == request then return 'p' .. found[4] end
if present == token then
  if owner == '' then owner = holder end
  if holder ~= '' and holder ~= owner then return 's' .. present end
end
if ${above('present', 'token')} then return 's' .. present end
redis.call('HSET', KEYS[1], 'token', token, 'owner', owner, 'request', request, 'previous', present or '')
return 'p' .. (present or '')`);
