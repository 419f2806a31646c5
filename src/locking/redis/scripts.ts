import { createHash } from 'node:crypto';
import type { BatchMode, WriteOperation } from '../model.js';

/** How many of its last changes a record remembers. */
export const REMEMBERED_CHANGES = 8;

export interface Script {
  readonly lua: string;
  readonly sha: string;
}
const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });

/*
 * A record is a hash with the user's fields and:
 * - `@version`: digits; `-14` is a deleted record, whose deletion made version 14;
 * - `@fence`: the highest token that wrote it, digits;
 * - `@0` to `@7`: the ids of the requests that made the last eight versions, each at its version modulo 8;
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

/** The field that remembers who made a version. */
export const makerField = (version: number): string => `@${version % REMEMBERED_CHANGES}`;
const MAKER_FIELDS = Array.from({ length: REMEMBERED_CHANGES }, (_, i) => `'${makerField(i)}'`).join(', ');

/** Lua for: `a` is a higher token than `b`. Texts of digits, as numbers in Lua are doubles; false when there is no `a`. */
const above = (a: string, b: string): string =>
  `(${a} and (#${a} > #${b} or (#${a} == #${b} and ${a} > ${b})))`;

const SHARED = `
local function text(number) return string.format('%.0f', number) end
local function parsed(stored)
  local number = tonumber(stored or '0')
  return math.abs(number), number <= 0
end
-- The request that made a version; nothing when it is forgotten. makers begins at version modulo ${REMEMBERED_CHANGES} = 0.
local function maker(version, makers, made)
  if made <= version and made > version - ${REMEMBERED_CHANGES} then
    return makers[made % ${REMEMBERED_CHANGES} + 1]
  end
end
local function highest(fence, sealed)
  return ${above('sealed', "(fence or '')")} and sealed or fence
end`;

/**
 * One update, the common case, with as little work as can be.
 * KEYS record [seal]; ARGV a list in JSON, as every further argument would cost more than all of them do so: version, the
 * next, field and id of the request, ['@fence', token], then names and values.
 */
export const UPDATE = script(`
local given = cjson.decode(ARGV[1])
local stored, fence, sealed, stale
if KEYS[2] then
  local found, token = redis.call('HMGET', KEYS[1], '@version', '@fence'), given[6]
  stored, fence = found[1], found[2]
  sealed = redis.call('HGET', KEYS[2], 'token')
  stale = ${above('fence', 'token')} or ${above('sealed', 'token')}
else
  stored = redis.call('HGET', KEYS[1], '@version')
end
if stored == given[1] and not stale then
  redis.call('HSET', KEYS[1], '@version', unpack(given, 2))
  return 1
end
${SHARED}
local version, gone = parsed(stored)
if maker(version, redis.call('HMGET', KEYS[1], ${MAKER_FIELDS}), tonumber(given[2])) == given[4] then return 1 end
if stale then return 's' .. text(version) .. ' ' .. highest(fence, sealed) end
return (gone and 'n' or 'c') .. text(version)`);

/** What a batch asks for. */
export interface Plan {
  readonly request: string;
  readonly mode: BatchMode;
  /** How long a tombstone stays; 0: for ever. */
  readonly tombstoneMs: number;
  /** So many of the keys are records, the others seals. */
  readonly records: number;
  readonly operations: readonly {
    readonly kind: WriteOperation['kind'];
    /** Which key, from 1. */
    readonly record: number;
    readonly version: number;
    readonly seal?: number;
    readonly token?: string;
    /** Names and values. */
    readonly values: readonly string[];
  }[];
}

/**
 * Any batch. Operations on the same record see what those before them did.
 * KEYS records, then seals; ARGV a plan in JSON, see `Plan`.
 */
export const WRITE = script(`
${SHARED}
local plan = cjson.decode(ARGV[1])
local request, each = plan.request, plan.mode == 'each'
local records, done = {}, false
for i = 1, plan.records do
  local makers = redis.call('HMGET', KEYS[i], ${MAKER_FIELDS})
  local found = redis.call('HMGET', KEYS[i], '@version', '@fence', '@born')
  local version, gone = parsed(found[1])
  local bornAt, bornBy = string.match(found[3] or '', '^(%d+) (.*)$')
  local mine = bornBy == request
  for at = 1, ${REMEMBERED_CHANGES} do mine = mine or makers[at] == request end
  done = done or mine
  records[i] = { version = version, gone = gone, fence = found[2], born = found[3], mine = mine, claimed = {},
    bornAt = bornBy == request and bornAt, found = version, makers = makers, set = {} }
end


-- What a request answers about an operation that an earlier copy of it carried out; nothing when none did.
local function repeated(record, kind, version)
  if each and not record.mine then return end
  if kind == 'insert' then
    if record.bornAt then return 'w' .. record.bornAt end
    return not each and 'u' or nil
  end
  local made = version + 1
  if each then
    if record.claimed[made] or kind == 'check' then return end
    if maker(record.found, record.makers, made) ~= request then return end
    record.claimed[made] = true
  end
  return 'w' .. text((kind == 'update' or kind == 'touch') and made or version)
end

local function put(record, name, value)
  table.insert(record.set, name)
  table.insert(record.set, value)
end

local function change(record, token)
  record.version = record.version + 1
  record.changed = true
  if token then record.fence = token end
  put(record, '@' .. text(record.version % ${REMEMBERED_CHANGES}), request)
end

local function perform(record, operation)
  local kind, version, token = operation.kind, operation.version, operation.token
  local current = token and highest(record.fence, redis.call('HGET', KEYS[operation.seal], 'token'))
  if ${above('current', 'token')} then return 's' .. text(record.version) .. ' ' .. current end
  if kind == 'insert' then
    if not record.gone then return 'e' .. text(record.version) end
    record.gone, record.inserted = false, true
    change(record, token)
    record.born = text(record.version) .. ' ' .. request
  else
    if record.gone then return 'n' .. text(record.version) end
    if record.version ~= version then return 'c' .. text(record.version) end
    if kind == 'check' then return 'w' .. text(version) end
    if kind == 'delete' then
      -- All fields go; what is remembered is written again.
      record.gone, record.wiped, record.set = true, true, {}
      for at, made in ipairs(record.makers) do if made then put(record, '@' .. at - 1, made) end end
      for made = record.found + 1, record.version do put(record, '@' .. text(made % ${REMEMBERED_CHANGES}), request) end
    end
    change(record, token)
    if kind == 'delete' then return 'w' .. text(version) end
  end
  for _, value in ipairs(operation.values) do table.insert(record.set, value) end
  return 'w' .. text(record.version)
end

local answers, refused = {}, false
for i, operation in ipairs(plan.operations) do
  local record = records[operation.record]
  local answer = done and repeated(record, operation.kind, operation.version)
  answers[i] = answer or perform(record, operation)
  refused = refused or string.sub(answers[i], 1, 1) ~= 'w'
end
if not each then
  if done then return answers end
  if refused then
    -- With the version found, from which the store tells whether a copy may have been carried out before.
    for i, operation in ipairs(plan.operations) do
      answers[i] = string.gsub(answers[i], '^w.*$', 'k' .. text(records[operation.record].found))
    end
    return answers
  end
end

for i, record in ipairs(records) do
  if record.changed then
    local key, set = KEYS[i], record.set
    put(record, '@version', (record.gone and '-' or '') .. text(record.version))
    if record.fence then put(record, '@fence', record.fence) end
    if record.born and (record.wiped or record.inserted) then put(record, '@born', record.born) end
    if record.wiped then redis.call('DEL', key) end
    -- unpack has a limit near 8,000.
    for from = 1, #set, 4000 do redis.call('HSET', key, unpack(set, from, math.min(from + 3999, #set))) end
    if record.gone and plan.tombstoneMs > 0 then redis.call('PEXPIRE', key, text(plan.tombstoneMs))
    elseif record.inserted and record.found > 0 then redis.call('PERSIST', key) end
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
