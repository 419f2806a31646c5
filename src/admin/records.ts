import type { RecordFence, RecordField, RecordOperation, RegisterRecord } from '../machine/index.js';
import type { RecordJson } from './shapes.js';

/** What a client sent is not a record, an operation or a fence. The message says what it should be. */
export class BadRecordRequest extends Error {
  override readonly name = 'BadRecordRequest';
}

export const RECORD_ID_BYTES_MAX = 512;
export const RECORD_VALUE_BYTES_MAX = 64 * 1024;
export const RECORD_OPERATIONS_MAX = 256;
const TOKEN_MAX = 2n ** 63n - 1n;

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function name(what: string, text: unknown): string {
  if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > RECORD_ID_BYTES_MAX)
    throw new BadRecordRequest(`${what} is a text of 1 to ${RECORD_ID_BYTES_MAX} bytes.`);
  return text;
}

export function token(value: unknown): bigint {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !/^\d{1,19}$/.test(text) || BigInt(text) > TOKEN_MAX)
    throw new BadRecordRequest(`A token is a whole number from 0 to ${TOKEN_MAX}, as digits.`);
  return BigInt(text);
}

export function version(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new BadRecordRequest('A version is a whole number from 1 on: the one that was read.');
  return value;
}

/** The top level of a JSON object, field by field. */
export function fields(value: unknown): readonly RecordField[] {
  if (!isObject(value)) throw new BadRecordRequest('The value of a record is a JSON object.');
  const result = Object.entries(value).map(([key, field]) => ({ name: key, json: JSON.stringify(field) }));
  const bytes = result.reduce((sum, field) => sum + Buffer.byteLength(field.name + field.json), 0);
  if (bytes > RECORD_VALUE_BYTES_MAX)
    throw new BadRecordRequest(
      `A record holds at most ${RECORD_VALUE_BYTES_MAX} bytes; this one has ${bytes}.`,
    );
  return result;
}

export function fence(value: unknown): RecordFence | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value))
    throw new BadRecordRequest('A fence is {"scope": "group/topic/0", "token": "17", "owner": "..."}.');
  const { owner } = value;
  return {
    scope: name('The scope of a fence', value['scope']),
    token: token(value['token']),
    owner: owner === undefined || owner === null ? null : name('The owner of a fence', owner),
  };
}

export function operation(value: unknown): RecordOperation {
  if (!isObject(value))
    throw new BadRecordRequest('An operation is a JSON object with kind, id and version.');
  const { kind } = value;
  const id = name('The id of a record', value['id']);
  const by = fence(value['fence']);
  switch (kind) {
    case 'insert':
      return { kind, id, fields: fields(value['value']), fence: by };
    case 'update':
    case 'replace':
      return {
        kind: 'update',
        id,
        version: version(value['version']),
        fields: fields(value['value']),
        replace: kind === 'replace',
        fence: by,
      };
    case 'delete':
    case 'touch':
    case 'check':
      return { kind, id, version: version(value['version']), fence: by };
    default:
      throw new BadRecordRequest(
        'The kind of an operation is insert, update, replace, delete, touch or check.',
      );
  }
}

export function operations(value: unknown): readonly RecordOperation[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > RECORD_OPERATIONS_MAX)
    throw new BadRecordRequest(`A transaction has 1 to ${RECORD_OPERATIONS_MAX} operations.`);
  return value.map(operation);
}

export function recordJson(scope: string, record: RegisterRecord): RecordJson {
  const value: Record<string, unknown> = {};
  for (const field of record.fields) value[field.name] = JSON.parse(field.json) as unknown;
  const { id, version: at, fence: by } = record;
  return { scope, id, version: at, fence: by === null ? null : String(by), value };
}
