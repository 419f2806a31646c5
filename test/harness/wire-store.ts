import {
  type BatchMode,
  type Fence,
  type Fields,
  OutcomeUnknownError,
  type RecordStore,
  type Sealed,
  sealedOrThrow,
  type SealOutcome,
  type VersionedRecord,
  type WriteOperation,
  type WriteOutcome,
} from '../../src/locking/index.js';
import { fromJson, toJson } from '../../src/locking/field-json.js';
import type { RequestInputByKey, ResponseByKey } from '../../src/wire/index.js';
import type { GroupClient } from './group-client.js';

const KIND = { insert: 1, update: 2, delete: 4, touch: 5, check: 6 } as const;
const OUTCOMES = [
  'written',
  'not-found',
  'version-conflict',
  'already-exists',
  'stale-epoch',
  'skipped',
] as const;
const REQUEST_TIMED_OUT = 7;

/** Quorate's records over its own commands of the wire, as far as tests and benchmarks need it. */
export class WireStore implements RecordStore {
  readonly name = 'quorate, wire';
  readonly #client: GroupClient;
  readonly #space: string;

  /** `client` is one for the group of the space's name: its coordinator is where the records are. */
  constructor(client: GroupClient) {
    this.#client = client;
    this.#space = client.group;
  }

  async read(resource: string, ids: readonly string[]): Promise<(VersionedRecord<Fields> | undefined)[]> {
    const keys = ids.map((id) => `${resource}/${id}`);
    const body = { space: this.#space, ids: keys };
    const { records } = await this.#client.ask(20001, 0, body, ({ errorCode }) => errorCode);
    const found = new Map(records.map((record) => [record.id, record]));
    return keys.map((key, i) => {
      const record = found.get(key);
      if (record === undefined) return undefined;
      const value = fromJson(
        Object.fromEntries(record.fields.map(({ name, json }) => [name, JSON.parse(json) as unknown])),
      );
      const { version, fence } = record;
      return { id: ids[i]!, version, fence: fence === null ? null : BigInt(fence), value };
    });
  }

  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const body = {
      space: this.#space,
      atomic: mode === 'all-or-nothing',
      operations: operations.map(operationOf),
    };
    const answer = await this.#client.ask(20000, 0, body, ({ errorCode }) => errorCode);
    refuse(answer);
    return answer.outcomes.map((outcome, i) => outcomeOf(outcome, operations[i]!));
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  async trySeal({ scope, token, owner }: Fence): Promise<SealOutcome> {
    const body = {
      space: this.#space,
      fenceScope: scope,
      fenceToken: String(token),
      fenceOwner: owner ?? null,
    };
    const answer = await this.#client.ask(20002, 0, body, ({ errorCode }) => errorCode);
    refuse(answer);
    if (!answer.sealed) return { kind: 'stale-epoch', scope, token, current: BigInt(answer.token!) };
    return { kind: 'sealed', previous: answer.token === null ? null : BigInt(answer.token) };
  }

  async fenceOf(scope: string): Promise<bigint | null> {
    const body = { space: this.#space, ids: [], fenceScope: scope };
    const { sealed } = await this.#client.ask(20001, 0, body, ({ errorCode }) => errorCode);
    return sealed === null ? null : BigInt(sealed);
  }
}

function refuse({ errorCode, errorMessage }: { errorCode: number; errorMessage: string | null }): void {
  if (errorCode === REQUEST_TIMED_OUT)
    throw new OutcomeUnknownError('a write', new Error('the leader was lost'));
  if (errorCode !== 0) throw new Error(`refused with ${errorCode}: ${errorMessage ?? ''}`);
}

export function operationOf(operation: WriteOperation): RequestInputByKey[20000]['operations'][number] {
  const { kind, resource, id, fence } = operation;
  const fields =
    operation.kind === 'insert' ? operation.value : operation.kind === 'update' ? operation.changes : {};
  return {
    kind: KIND[kind],
    id: `${resource}/${id}`,
    ...(operation.kind === 'insert' ? {} : { version: operation.version }),
    fields: Object.entries(toJson(fields)).map(([name, value]) => ({ name, json: JSON.stringify(value) })),
    ...(fence === undefined
      ? {}
      : { fenceScope: fence.scope, fenceToken: String(fence.token), fenceOwner: fence.owner ?? null }),
  };
}

function outcomeOf(
  { kind, version, current }: ResponseByKey[20000]['outcomes'][number],
  operation: WriteOperation,
): WriteOutcome {
  const name = OUTCOMES[kind]!;
  switch (name) {
    case 'written':
      return { kind: name, version };
    case 'version-conflict':
      return { kind: name, expected: 'version' in operation ? operation.version : 0, actual: version };
    case 'already-exists':
      return { kind: name, actual: version };
    case 'stale-epoch': {
      const { scope, token } = operation.fence!;
      return { kind: name, scope, token, current: BigInt(current) };
    }
    default:
      return { kind: name };
  }
}
