import { OutcomeUnknownError, StoreUnavailableError } from './errors.js';
import { fromJson, toJson } from './field-json.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from './model.js';

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

interface OutcomeJson {
  readonly kind: WriteOutcome['kind'];
  readonly version?: number;
  readonly expected?: number;
  readonly actual?: number;
  readonly scope?: string;
  readonly token?: string;
  readonly current?: string;
}
interface RecordJson {
  readonly id: string;
  readonly version: number;
  readonly fence: string | null;
  readonly value: Readonly<Record<string, unknown>>;
}

/** No byte of the request left, or the replica said that nothing happened. */
class NothingHappened extends Error {}

const RETRY_MS = 50;

/**
 * Records kept by Quorate itself, agreed on by its replicas: no other database is needed. Over HTTP to any replica; each
 * write is one round trip and one agreement.
 */
export class QuorateStore implements RecordStore {
  readonly name = 'quorate';
  readonly #options: Required<QuorateStoreOptions>;
  #preferred = 0;

  constructor(options: QuorateStoreOptions) {
    if (options.urls.length === 0) throw new TypeError('give at least one URL of a replica');
    this.#options = { requestTimeoutMs: 5_000, deadlineMs: 10_000, ...options };
  }

  async read(resource: string, ids: readonly string[]): Promise<(VersionedRecord<Fields> | undefined)[]> {
    return Promise.all(ids.map((id) => this.#get(key(resource, id), id)));
  }

  async #get(at: string, id: string): Promise<VersionedRecord<Fields> | undefined> {
    const { status, body } = await this.#request('GET', `records/${this.#space}/${encodeURIComponent(at)}`);
    if (status === 404) return undefined;
    const { version, fence, value } = body as RecordJson;
    return { id, version, fence: fence === null ? null : BigInt(fence), value: fromJson(value) };
  }

  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const { body } = await this.#request('POST', `records/${this.#space}`, {
      mode,
      operations: operations.map(operationJson),
    });
    const { outcomes } = body as { readonly outcomes: readonly OutcomeJson[] };
    return outcomes.map(outcomeOf);
  }

  async seal(fence: Fence): Promise<SealOutcome> {
    const { scope, token, owner } = fence;
    const path = `seals/${this.#space}/${encodeURIComponent(scope)}`;
    const { status, body } = await this.#request('PUT', path, { token: String(token), owner });
    if (status === 409) {
      const { current } = body as { readonly current: string };
      return { kind: 'stale-epoch', scope, token, current: BigInt(current) };
    }
    const { previous } = body as { readonly previous: string | null };
    return { kind: 'sealed', previous: previous === null ? null : BigInt(previous) };
  }

  async fenceOf(scope: string): Promise<bigint | null> {
    const { body } = await this.#request('GET', `seals/${this.#space}/${encodeURIComponent(scope)}`);
    const { token } = body as { readonly token: string | null };
    return token === null ? null : BigInt(token);
  }

  get #space(): string {
    return encodeURIComponent(this.#options.space);
  }

  /** Tries replica after replica while it is certain that nothing happened. */
  async #request(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const { urls, deadlineMs } = this.#options;
    const until = performance.now() + deadlineMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#ask(urls[this.#preferred % urls.length]!, method, path, body);
      } catch (error) {
        if (!(error instanceof NothingHappened)) throw error;
        this.#preferred = (this.#preferred + 1) % urls.length;
        if (performance.now() > until)
          throw new StoreUnavailableError(`no replica can answer (${urls.join(', ')})`, error);
        if (attempt % urls.length === urls.length - 1)
          await new Promise((resume) => setTimeout(resume, RETRY_MS));
      }
    }
  }

  async #ask(
    url: string,
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const reading = method === 'GET';
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(`${url.replace(/\/+$/, '')}/${path}`, {
        method,
        signal: AbortSignal.timeout(this.#options.requestTimeoutMs),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      answer = await response.json();
    } catch (error) {
      // A read may be asked again whatever happened; a write only when it never left.
      if (reading || neverLeft(error)) throw new NothingHappened(describe(error), { cause: error });
      throw new OutcomeUnknownError('a write to Quorate', error);
    }
    const { status } = response;
    if (response.ok || status === 404 || status === 409) return { status, body: answer };
    const { detail = `status ${status}` } = answer as { readonly detail?: string };
    if (status === 503) throw new NothingHappened(detail);
    if (status === 504) throw new OutcomeUnknownError('a write to Quorate', new Error(detail));
    throw new Error(`Quorate refused the request: ${detail}`);
  }
}

const key = (resource: string, id: string): string => `${resource}/${id}`;

/** The connection was never made. Anything later may have reached the replica. */
function neverLeft(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { readonly code?: string };
  return code !== undefined && ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(code);
}
function describe(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

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

function outcomeOf(json: OutcomeJson): WriteOutcome {
  if (json.kind !== 'stale-epoch') return json as WriteOutcome;
  return { kind: json.kind, scope: json.scope!, token: BigInt(json.token!), current: BigInt(json.current!) };
}
