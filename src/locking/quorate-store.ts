import { outcomeFromDigits } from '../guard/index.js';
import { OutcomeUnknownError, sealedOrThrow } from './errors.js';
import { fromJson, toJson } from './field-json.js';
import { GatheredWrites } from './gathered-writes.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';
import { ReplicaRequests } from './replica-requests.js';

export interface QuorateStoreOptions {
  /** Where replicas answer HTTP, e.g. `http://127.0.0.1:8080`; any of them will do, more than one survives a failure. */
  readonly urls: readonly string[];
  /** Under which name the records are kept. One space is one shard: what changes together belongs into one space. */
  readonly space: string;
  /** One attempt at one replica. Milliseconds. Default 5,000. */
  readonly requestTimeoutMs?: number;
  /** How long to look for a replica that can answer, over all attempts. Milliseconds. Default 10,000. */
  readonly deadlineMs?: number;
}

/** Tokens are digits. */
type OutcomeJson = WriteOutcome<string>;
interface RecordJson {
  readonly id: string;
  readonly version: number;
  readonly fence: string | null;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * Records kept by Quorate itself, agreed on by its replicas: no other database is needed. Over HTTP to any replica; each
 * write is one round trip and one agreement, which writes made at the same time share.
 */
export class QuorateStore implements RecordStore {
  readonly name = 'quorate';
  readonly #space: string;
  readonly #deadlineMs: number;
  readonly #replicas: ReplicaRequests;
  readonly #gathered: GatheredWrites<OutcomeJson>;

  constructor({ urls, space, requestTimeoutMs = 5_000, deadlineMs = 10_000 }: QuorateStoreOptions) {
    this.#space = encodeURIComponent(space);
    this.#deadlineMs = deadlineMs;
    this.#replicas = new ReplicaRequests({ urls, requestTimeoutMs });
    this.#gathered = new GatheredWrites({
      deadlineMs,
      send: (operations, until) => this.#transact(operations, 'each', until),
    });
  }

  async read(resource: string, ids: readonly string[]): Promise<(VersionedRecord<Fields> | undefined)[]> {
    return Promise.all(ids.map((id) => this.#get(key(resource, id), id)));
  }

  async #get(at: string, id: string): Promise<VersionedRecord<Fields> | undefined> {
    const path = `records/${this.#space}/${encodeURIComponent(at)}`;
    const { status, body } = await this.#replicas.request({ method: 'GET', path }, this.#until());
    if (status === 404) return undefined;
    const { version, fence, value } = body as RecordJson;
    return { id, version, fence: fence === null ? null : BigInt(fence), value: fromJson(value) };
  }

  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const texts = operations.map((operation) => JSON.stringify(operationJson(operation)));
    // One operation is all or nothing by itself, and independent.
    const independent = mode === 'each' || operations.length === 1;
    const outcomes = independent
      ? await this.#gathered.write(texts)
      : await this.#transact(texts, mode, this.#until());
    return outcomes.map(outcomeFromDigits);
  }

  async #transact(
    operations: readonly string[],
    mode: BatchMode,
    until: number,
  ): Promise<readonly OutcomeJson[]> {
    const body = `{"mode":"${mode}","operations":[${operations.join(',')}]}`;
    const path = `records/${this.#space}`;
    const answer = await this.#replicas.request({ method: 'POST', path, body }, until);
    const { outcomes } = answer.body as { readonly outcomes?: readonly OutcomeJson[] };
    if (outcomes?.length !== operations.length)
      throw new OutcomeUnknownError('a write to Quorate', new Error(`an answer of status ${answer.status}`));
    return outcomes;
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  async trySeal(fence: Fence): Promise<SealOutcome> {
    const { scope, token, owner } = fence;
    const path = `seals/${this.#space}/${encodeURIComponent(scope)}`;
    const sent = JSON.stringify({ token: String(token), owner });
    const { status, body } = await this.#replicas.request({ method: 'PUT', path, body: sent }, this.#until());
    if (status === 409) {
      const { current } = body as { readonly current: string };
      return { kind: 'stale-epoch', scope, token, current: BigInt(current) };
    }
    const { previous } = body as { readonly previous: string | null };
    return { kind: 'sealed', previous: previous === null ? null : BigInt(previous) };
  }

  async fenceOf(scope: string): Promise<bigint | null> {
    const path = `seals/${this.#space}/${encodeURIComponent(scope)}`;
    const { body } = await this.#replicas.request({ method: 'GET', path }, this.#until());
    const { token } = body as { readonly token: string | null };
    return token === null ? null : BigInt(token);
  }

  #until(): number {
    return performance.now() + this.#deadlineMs;
  }
}

const key = (resource: string, id: string): string => `${resource}/${id}`;

const fenceJson = ({ scope, token, owner }: Fence): unknown => ({ scope, token: String(token), owner });

function operationJson(operation: WriteOperation): unknown {
  const { kind, resource, id, fence } = operation;
  const head = {
    kind,
    id: key(resource, id),
    ...(fence === undefined ? {} : { fence: fenceJson(fence) }),
  };
  if (operation.kind === 'insert') return { ...head, value: toJson(operation.value) };
  const { version } = operation;
  return operation.kind === 'update'
    ? { ...head, version, value: toJson(operation.changes) }
    : { ...head, version };
}
