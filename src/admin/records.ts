import {
  RECORD_LIMITS,
  type RecordFence,
  type RecordField,
  type RecordOperation,
  recordProblem,
  type RegisterCommand,
  type RegisterRecord,
} from '../machine/index.js';
import type { RecordJson } from './shapes.js';

/** What a client sent is not a record, an operation or a fence. The message says what it should be. */
export class BadRecordRequest extends Error {
  override readonly name = 'BadRecordRequest';
}

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function text(what: string, value: unknown): string {
  if (typeof value !== 'string') throw new BadRecordRequest(`${what} is a text.`);
  return value;
}

export function token(value: unknown): bigint {
  const digits = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof digits !== 'string' || !/^\d{1,19}$/.test(digits))
    throw new BadRecordRequest(`A token is a whole number from 0 to ${RECORD_LIMITS.tokenMax}, as digits.`);
  return BigInt(digits);
}

export function version(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new BadRecordRequest('A version is a whole number: the one that was read.');
  return value;
}

/** The top level of a JSON object, field by field. */
export function fields(value: unknown): readonly RecordField[] {
  if (!isObject(value)) throw new BadRecordRequest('The value of a record is a JSON object.');
  return Object.entries(value).map(([name, field]) => ({ name, json: JSON.stringify(field) }));
}

/** As `fields`, of a whole body; it is undefined when it was not sent as JSON. */
export function bodyFields(body: unknown): readonly RecordField[] {
  if (body !== undefined) return fields(body);
  throw new BadRecordRequest(
    'The value of a record is a JSON object: send it as the body, with content-type: application/json.',
  );
}

export function fence(value: unknown): RecordFence | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value))
    throw new BadRecordRequest('A fence is {"scope": "group/topic/0", "token": "17", "owner": "..."}.');
  const { owner } = value;
  return {
    scope: text('The scope of a fence', value['scope']),
    token: token(value['token']),
    owner: owner === undefined || owner === null ? null : text('The owner of a fence', owner),
  };
}

export function operation(value: unknown): RecordOperation {
  if (!isObject(value))
    throw new BadRecordRequest('An operation is a JSON object with kind, id and version.');
  const { kind } = value;
  const id = text('The id of a record', value['id']);
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
  if (!Array.isArray(value))
    throw new BadRecordRequest('A transaction is {"mode": ..., "operations": [...]}.');
  return value.map(operation);
}

export function recordJson(space: string, record: RegisterRecord): RecordJson {
  const value: Record<string, unknown> = {};
  for (const field of record.fields) value[field.name] = JSON.parse(field.json) as unknown;
  const { id, version: at, fence: by } = record;
  return { space, id, version: at, fence: by === null ? null : String(by), value };
}

/** The command, within the limits. Throws BadRecordRequest. */
export function withinLimits<C extends RegisterCommand>(command: C): C {
  const problem = recordProblem(command);
  if (problem !== undefined) throw new BadRecordRequest(`${problem[0]!.toUpperCase()}${problem.slice(1)}.`);
  return command;
}
