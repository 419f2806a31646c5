import { setTimeout as delay } from 'node:timers/promises';
import { OutcomeUnknownError, sealedOrThrow, StaleEpochError } from '../errors.js';
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
import { fullJitterMs } from '../retry.js';
import { alikeRuns } from './bulk.js';
import type { DialectName } from './dialect.js';
import { failureOf } from './failure.js';
import { SqlPlans, type SqlStoreOptions } from './plans.js';
import {
  runSteps,
  type SqlConnection,
  type SqlDriver,
  type SqlResult,
  type Statement,
  type Steps,
} from './statement.js';
import { Collision, holdSeals, sealScope, transact, type Transacted } from './transaction.js';

/** Deadlocks, serialization failures and collisions of inserts: nothing happened, so it begins again, so often. */
const RETRIES_MAX = 8;
const PAUSES = { backoffMs: 10, backoffMsMax: 100 };

/** The first retry follows at once, the others after pauses. */
async function pauseBeforeRetry(retry: number): Promise<void> {
  if (retry > 1) await delay(fullJitterMs(retry - 1, PAUSES));
}

/**
 * Records in the tables of a relational database, through anything that can run a statement and a transaction: a pool, an
 * ORM, a query builder. A single write is one statement; a batch that needs more is one transaction.
 *
 * Rejects with OutcomeUnknownError when the connection was lost after a write (or COMMIT) was sent, else with the driver's
 * own error, and then nothing was written. A transaction that the database ended because of a deadlock is retried, up to eight times.
 */
export class SqlStore implements RecordStore {
  readonly name: string;
  readonly #driver: SqlDriver;
  readonly #plans: SqlPlans;
  readonly #dialect: DialectName;

  constructor(driver: SqlDriver, dialect: DialectName, options: SqlStoreOptions = {}) {
    this.#driver = driver;
    this.#dialect = dialect;
    this.#plans = new SqlPlans(dialect, options);
    this.name = dialect;
  }

  async read(
    resource: ResourceName,
    ids: readonly string[],
  ): Promise<readonly (VersionedRecord<Fields> | undefined)[]> {
    return runSteps(this.#plans.read(resource, ids), this.#driver);
  }

  async write(operations: readonly WriteOperation[], mode: BatchMode): Promise<readonly WriteOutcome[]> {
    if (operations.length === 1) {
      const operation = operations[0]!;
      const write = this.#plans.guarded(operation);
      const result = write && (await this.#autocommitted(operations, write.bind(operation)));
      const outcome = result && write.outcome(operation, result);
      if (outcome !== undefined) return [outcome];
    } else if (mode === 'each' && alikeRuns(operations).length === 1) {
      const outcomes = await this.#writeAlike(operations);
      if (outcomes !== undefined) return outcomes;
    }
    return this.#transact(whatOf(this.name, operations), (attempt) =>
      transact(this.#plans, operations, { mode, holdFree: attempt > 1 }),
    );
  }

  async seal(fence: Fence): Promise<Sealed> {
    return sealedOrThrow(await this.trySeal(fence));
  }

  async trySeal(fence: Fence): Promise<SealOutcome> {
    return this.#transact(`the seal of ${fence.scope} in ${this.name}`, () => sealScope(this.#plans, fence));
  }

  async fenceOf(scope: string): Promise<bigint | null> {
    const { text, params, hints } = this.#plans.fenceOf(scope);
    const { rows } = await this.#driver.query(text, params, hints);
    const digits = (rows[0]?.['token'] ?? null) as string | null;
    return digits === null ? null : BigInt(digits);
  }

  /**
   * The same store inside a transaction of yours: what it writes is committed or rolled back with the rest, so its outcomes
   * hold only once you have committed. Writes nothing unless a batch can be done (as `all-or-nothing` asks); when it
   * rejects, roll back.
   */
  within(connection: SqlConnection): RecordStore {
    const plans = this.#plans;
    const trySeal = async (fence: Fence): Promise<SealOutcome> =>
      (await runSteps(sealScope(plans, fence), connection)).result;
    return {
      name: this.name,
      read: (resource, ids) => runSteps(plans.read(resource, ids), connection),
      write: async (operations, mode) =>
        (await runSteps(transact(plans, operations, { mode, holdFree: true }), connection)).result,
      seal: async (fence) => sealedOrThrow(await trySeal(fence)),
      trySeal,
      fenceOf: (scope) => this.fenceOf(scope),
    };
  }

  /**
   * For a transaction of yours that writes by hand: takes the row of the scope and keeps it until you commit, so nobody can
   * seal the scope before. The first statement of the transaction. Throws StaleEpochError when a later owner was faster.
   */
  async holdFence(connection: SqlConnection, fence: Fence): Promise<void> {
    this.#plans.sealsTable();
    const { scope, token } = fence;
    const current = (await runSteps(holdSeals(this.#plans, [scope]), connection)).get(scope) ?? null;
    if (current !== null && current > token) throw new StaleEpochError(scope, token, current);
  }

  /** One statement for all; what it could not tell goes through a transaction. Undefined when there is no such statement. */
  async #writeAlike(operations: readonly WriteOperation[]): Promise<readonly WriteOutcome[] | undefined> {
    for (const operation of operations) this.#plans.guarded(operation);
    const bulk = await runSteps(this.#plans.bulk(operations), this.#driver);
    if (bulk === undefined) return undefined;
    const result = await this.#autocommitted(operations, bulk.statement);
    if (result === undefined) return undefined;
    const outcomes = [...bulk.outcomes(result)];
    const open = outcomes.flatMap((outcome, i) => (outcome === undefined ? [i] : []));
    if (open.length > 0) {
      const rest = await this.#rest(operations, open, outcomes);
      for (const [i, outcome] of rest.entries()) outcomes[open[i]!] = outcome;
    }
    return outcomes as readonly WriteOutcome[];
  }

  async #rest(
    operations: readonly WriteOperation[],
    open: readonly number[],
    outcomes: readonly (WriteOutcome | undefined)[],
  ): Promise<readonly WriteOutcome[]> {
    const rest = open.map((i) => operations[i]!);
    const what = whatOf(this.name, rest);
    try {
      return await this.#transact(what, (attempt) =>
        transact(this.#plans, rest, { mode: 'each', holdFree: attempt > 1 }),
      );
    } catch (error) {
      // The driver's error would say that nothing happened, and some of the batch has.
      if (outcomes.some((outcome) => outcome?.kind === 'written')) throw new OutcomeUnknownError(what, error);
      throw error;
    }
  }

  /** A write that commits by itself; undefined when a key was taken. */
  async #autocommitted(
    operations: readonly WriteOperation[],
    { text, params, hints }: Statement,
  ): Promise<SqlResult | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#driver.query(text, params, hints);
      } catch (error) {
        const failure = failureOf(error);
        if (failure === 'lost') throw new OutcomeUnknownError(whatOf(this.name, operations), error);
        // Which key it was, and what has it, is for the transaction to find out.
        if (failure === 'duplicate' && this.#dialect === 'mysql' && operations[0]!.kind === 'insert') {
          return undefined;
        }
        if (failure !== 'transient' || attempt > RETRIES_MAX) throw error;
        await pauseBeforeRetry(attempt);
      }
    }
  }

  async #transact<R>(what: string, stepsOf: (attempt: number) => Steps<Transacted<R>>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      let done: Transacted<R> | undefined;
      try {
        await this.#driver.transaction(async (connection) => {
          done = await runSteps(stepsOf(attempt), connection);
          if (!done.commit) throw new RolledBack();
        });
        return done!.result;
      } catch (error) {
        const end = endOf(done, error);
        if (end === 'over') return done!.result;
        if (end === 'lost') throw new OutcomeUnknownError(what, error);
        if (end !== 'again' || attempt > RETRIES_MAX)
          throw error instanceof Collision ? (error.cause ?? error) : error;
        await pauseBeforeRetry(attempt);
      }
    }
  }
}

/** Thrown inside a transaction to end it without effect. */
class RolledBack extends Error {
  constructor() {
    super('rolled back on purpose: a write of an all-or-nothing batch was refused');
  }
}

/** What the error of a transaction means, given how far it came. */
function endOf(done: Transacted<unknown> | undefined, error: unknown): 'over' | 'again' | 'lost' | 'failed' {
  // Before COMMIT was sent nothing can have happened, even if the connection broke.
  if (done === undefined) {
    return error instanceof Collision || failureOf(error) === 'transient' ? 'again' : 'failed';
  }
  // Nothing was to be kept: how the transaction ended does not matter.
  if (!done.commit) return 'over';
  const failure = failureOf(error);
  if (failure === 'transient') return 'again';
  if (failure === 'lost') return done.wrote ? 'lost' : 'over';
  return 'failed';
}

const whatOf = (store: string, operations: readonly WriteOperation[]): string => {
  const [first] = operations;
  const others = operations.length > 1 ? ` and ${operations.length - 1} more` : '';
  return `${first!.kind} of ${first!.resource} ${first!.id}${others} in ${store}`;
};
