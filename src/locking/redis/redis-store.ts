import { randomBytes } from 'node:crypto';
import { OutcomeUnknownError, sealedOrThrow } from '../errors.js';
import type {
  BatchMode,
  Fence,
  Fields,
  RecordStore,
  ResourceName,
  Sealed,
  SealOutcome,
  VersionedRecord,
  WriteOperation,
  WriteOutcome,
} from '../model.js';
import { parseAnswer, refusalStands, type Answer } from './answers.js';
import type { RedisClient } from './client.js';
import { confirmationsOf, type ConfirmOptions, UnconfirmedWriteError } from './confirm.js';
import { ConfirmingRunner } from './confirming-runner.js';
import { EvictionGuard, type EvictionRule } from './eviction.js';
import { decodeFields, encodeFields } from './fields.js';
import { CrossSlotError, Keys, oneTag, type Tags } from './keys.js';
import { type RunScripts, ScriptRunner, type ScriptRun } from './script-runner.js';
import { makerField, type Plan, SEAL, UPDATE, WRITE } from './scripts.js';

export interface RedisStoreOptions {
  /** Before every key. Default `quorate:`. */
  readonly prefix?: string;
  /** Which keys are together on one node of a cluster. Default: all, `oneTag()`. */
  readonly tags?: Tags;
  /**
   * How long a deleted record is remembered, in milliseconds. Default: for ever. What stays is its version and its fence
   * (some 100 bytes): an id that is inserted again goes on from there, so neither a write from before the deletion nor one
   * under a lower token is ever taken. A limit is safe when it is longer than any process may sleep with a version or a
   * token in its hand.
   */
  readonly tombstoneMs?: number;
  /**
   * A write counts as written when these copies of it exist; with fewer it ends as UnconfirmedWriteError, which is an
   * OutcomeUnknownError. Default: when the master has it in memory. It narrows what a failover can lose and does not make it
   * impossible: a replica that does not have the write may still be promoted, unless all of them are asked for. Give the
   * store a connection of its own, as other commands on it wait as well.
   */
  readonly confirm?: ConfirmOptions;
  /**
   * What to do when the server may evict fences (`maxmemory` with an allkeys policy; with `tombstoneMs` a volatile one too). `refuse`:
   * every write and seal ends as EvictingStoreError. `warn`: a warning of the process. Default `refuse`.
   */
  readonly eviction?: EvictionRule;
}

/** What a script may hand on in one piece; the batch script makes pieces. */
const DIRECT_VALUES_MAX = 4_000;
const TOKEN_LIMIT = 2n ** 63n;

/**
 * Records in Redis, a hash each; every write is one script, so version and fence are checked and written in one step.
 * Takes a `Redis` or a `Cluster` of ioredis with any options; when ioredis sends a write again after a reconnect, the
 * second copy recognizes the first. Give ioredis a `commandTimeout`: without one it waits for ever while a server stands
 * still, or a proxy takes connections that lead nowhere; with one, such a write ends as OutcomeUnknownError.
 *
 * What it cannot give: Redis replicates and syncs to disk after it has answered. A failover, or a crash without
 * `appendfsync always`, may lose the last writes and with them the last fence. `confirm` makes that rarer, and says when
 * it may happen.
 */
export class RedisStore implements RecordStore {
  readonly name = 'redis';
  readonly #client: RedisClient;
  readonly #scripts: RunScripts;
  readonly #keys: Keys;
  readonly #tombstoneMs: number;

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    const { prefix = 'quorate:', tags = oneTag(), tombstoneMs = 0, confirm, eviction = 'refuse' } = options;
    this.#client = client;
    const scripts =
      confirm === undefined
        ? new ScriptRunner(client)
        : new ConfirmingRunner(client, confirmationsOf(confirm));
    this.#scripts =
      eviction === 'ignore' ? scripts : new EvictionGuard(client, scripts, eviction, tombstoneMs > 0);
    this.#keys = new Keys(prefix, tags);
    this.#tombstoneMs = Math.ceil(tombstoneMs);
  }

  read(
    resource: ResourceName,
    ids: readonly string[],
  ): Promise<readonly (VersionedRecord<Fields> | undefined)[]> {
    return Promise.all(ids.map((id) => this.#read(resource, id)));
  }

  async #read(resource: ResourceName, id: string): Promise<VersionedRecord<Fields> | undefined> {
    const stored = entriesOf(await this.#client.hgetall(this.#keys.record(resource, id)));
    const version = Number.parseInt(stored.get('@version') ?? '', 10);
    if (!(version > 0)) return undefined;
    const fence = stored.get('@fence');
    return { id, version, fence: fence === undefined ? null : BigInt(fence), value: decodeFields(stored) };
  }

  /** @throws CrossSlotError when the keys of one transaction have different hash tags; nothing was sent then. */
  write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const [first] = operations;
    return operations.length === 1 && first!.kind === 'update'
      ? this.#update(first!)
      : this.#writeMany(operations, mode);
  }

  async #writeMany(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    const byTag = new Map<string, number[]>();
    operations.forEach((operation, index) => {
      const tag = this.#keys.tagOf(operation);
      const others = byTag.get(tag);
      if (others === undefined) byTag.set(tag, [index]);
      else others.push(index);
    });
    if (byTag.size === 1) return this.#script(this.#batch(operations, mode));
    if (mode === 'all-or-nothing') throw new CrossSlotError([...byTag.keys()]);
    return this.#perTag(operations, [...byTag.values()]);
  }

  /** A script per tag, all at once. When what became of one is not known, so it is of the whole. */
  async #perTag(
    operations: readonly WriteOperation[],
    groups: readonly (readonly number[])[],
  ): Promise<readonly WriteOutcome[]> {
    const batches = groups.map((indices) =>
      this.#batch(
        indices.map((index) => operations[index]!),
        'each',
      ),
    );
    const results = await Promise.allSettled(batches.map((batch) => this.#script(batch)));
    const failed = results.filter((result) => result.status === 'rejected');
    if (failed.length > 0) {
      const unknown = failed.find(({ reason }) => reason instanceof OutcomeUnknownError);
      const error = (unknown ?? failed[0]!).reason as Error;
      if (unknown !== undefined || failed.length === results.length) throw error;
      throw new OutcomeUnknownError(
        `${operations.length} writes to several nodes, of which one refused`,
        error,
      );
    }
    const outcomes: WriteOutcome[] = [];
    results.forEach((result, group) => {
      if (result.status === 'rejected') return;
      result.value.forEach((outcome, i) => (outcomes[groups[group]![i]!] = outcome));
    });
    return outcomes;
  }

  async #update(operation: Extract<WriteOperation, { kind: 'update' }>): Promise<readonly WriteOutcome[]> {
    const { resource, id, version, fence } = operation;
    this.#keys.tagOf(operation);
    const keys = [this.#keys.record(resource, id)];
    const given = [String(version), String(version + 1), makerField(version + 1), newRequest()];
    if (fence !== undefined) {
      keys.push(this.#keys.seal(fence.scope));
      given.push('@fence', digits(fence.token));
    }
    encodeFields(operation.changes, given);
    if (given.length > DIRECT_VALUES_MAX) return this.#script(this.#batch([operation], 'all-or-nothing'));
    const what = (): string => `an update of ${resource} ${id} in Redis`;
    const run = await this.#scripts.run(UPDATE, keys, what, JSON.stringify(given));
    const { answer, connectionLost } = run;
    // A text with the option stringNumbers of ioredis.
    if (answer === 1 || answer === '1') {
      mustBeConfirmed(run, what);
      return [{ kind: 'written', version: version + 1 }];
    }
    const refused = parseAnswer(operation, answer as string)!;
    if (connectionLost && !refusalStands([refused])) throw repeatedAfterLoss(what());
    return [refused.outcome];
  }

  async #script({ operations, keys, plan }: Batch): Promise<readonly WriteOutcome[]> {
    const what = (): string => `a batch of ${operations.length} writes to Redis`;
    const run = await this.#scripts.run(WRITE, keys, what, JSON.stringify(plan));
    const { answer, connectionLost } = run;
    const answers = (answer as readonly string[]).map((text, i) => parseAnswer(operations[i]!, text));
    if (!answers.every((parsed) => parsed !== undefined)) throw repeatedAfterLoss(what());
    if (connectionLost) {
      const together = plan.mode === 'each' ? answers.map((one) => [one]) : [answers];
      if (!together.every((group) => group.every(isWritten) || refusalStands(group))) {
        throw repeatedAfterLoss(what());
      }
    }
    if (answers.some((one) => isWritten(one) && one.operation.kind !== 'check')) mustBeConfirmed(run, what);
    return answers.map(({ outcome }) => outcome);
  }

  #batch(operations: readonly WriteOperation[], mode: BatchMode): Batch {
    const records = new Numbers();
    const seals = new Numbers();
    for (const { resource, id, fence } of operations) {
      records.add(this.#keys.record(resource, id));
      if (fence !== undefined) seals.add(this.#keys.seal(fence.scope));
    }
    const plan: Plan = {
      request: newRequest(),
      mode,
      tombstoneMs: this.#tombstoneMs,
      records: records.size,
      operations: operations.map((operation) => {
        const { kind, resource, id, fence } = operation;
        return {
          kind,
          record: records.of(this.#keys.record(resource, id)),
          version: kind === 'insert' ? 0 : operation.version,
          ...(fence === undefined
            ? {}
            : { seal: records.size + seals.of(this.#keys.seal(fence.scope)), token: digits(fence.token) }),
          values: valuesOf(operation),
        };
      }),
    };
    return { operations, keys: [...records.texts, ...seals.texts], plan };
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  async trySeal(fence: Fence): Promise<SealOutcome> {
    const { scope, token, owner = '' } = fence;
    const what = (): string => `a seal of ${scope} in Redis`;
    const keys = [this.#keys.seal(scope)];
    const run = await this.#scripts.run(SEAL, keys, what, digits(token), owner, newRequest());
    const answer = run.answer as string;
    const text = answer.slice(1);
    if (answer.startsWith('s')) return { kind: 'stale-epoch', scope, token, current: BigInt(text) };
    mustBeConfirmed(run, what);
    return { kind: 'sealed', previous: text === '' ? null : BigInt(text) };
  }

  async fenceOf(scope: string): Promise<bigint | null> {
    const token = await this.#client.hget(this.#keys.seal(scope), 'token');
    return token === null ? null : BigInt(token);
  }
}

/** What one script is sent. */
interface Batch {
  readonly operations: readonly WriteOperation[];
  readonly keys: readonly string[];
  readonly plan: Plan;
}

function valuesOf(operation: WriteOperation): readonly string[] {
  if (operation.kind === 'insert') return encodeFields(operation.value);
  return operation.kind === 'update' ? encodeFields(operation.changes) : [];
}

/** Distinct texts, numbered from 1 in the order of their first appearance. */
class Numbers {
  readonly #numbers = new Map<string, number>();
  add(text: string): void {
    if (!this.#numbers.has(text)) this.#numbers.set(text, this.#numbers.size + 1);
  }
  of(text: string): number {
    return this.#numbers.get(text)!;
  }
  get size(): number {
    return this.#numbers.size;
  }
  get texts(): Iterable<string> {
    return this.#numbers.keys();
  }
}

const isWritten = ({ outcome }: Answer): boolean => outcome.kind === 'written';

function mustBeConfirmed({ unconfirmed }: ScriptRun, what: () => string): void {
  if (unconfirmed !== undefined) throw new UnconfirmedWriteError(what(), unconfirmed);
}

const repeatedAfterLoss = (what: string): OutcomeUnknownError =>
  new OutcomeUnknownError(
    what,
    new Error(
      'the connection was lost, and the write was sent again when later changes hid whether it had happened',
    ),
  );

/** Canonical, so that the scripts can compare by length and then by text. */
function digits(token: bigint): string {
  if (token < 0n || token >= TOKEN_LIMIT)
    throw new RangeError(`the token ${token} is not between 0 and 2^63 - 1`);
  return token.toString();
}

const POOLED_BYTES = 6_000;
const REQUEST_LENGTH = 10;
let pool = '';
let used = 0;
/** 60 random bits in base64url: it is only ever compared with the last few requests on one record. */
function newRequest(): string {
  if (used + REQUEST_LENGTH > pool.length) {
    pool = randomBytes(POOLED_BYTES).toString('base64url');
    used = 0;
  }
  used += REQUEST_LENGTH;
  return pool.slice(used - REQUEST_LENGTH, used);
}

/** HGETALL as an object, a Map or a list: ioredis has an option for it (replyMapping). */
function entriesOf(reply: unknown): Map<string, string> {
  if (reply instanceof Map) return reply as Map<string, string>;
  if (!Array.isArray(reply)) return new Map(Object.entries(reply as Record<string, string>));
  const entries = new Map<string, string>();
  for (let i = 0; i < reply.length; i += 2) entries.set(String(reply[i]), String(reply[i + 1]));
  return entries;
}
