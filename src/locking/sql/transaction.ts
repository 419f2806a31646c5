import { allOrNothing, judge, judgeSeal, type RecordState } from '../../guard/index.js';
import type { BatchMode, Fence, ResourceName, SealOutcome, WriteOperation, WriteOutcome } from '../model.js';
import { alikeRuns } from './bulk.js';
import { failureOf } from './failure.js';
import type { SqlPlans } from './plans.js';
import { CHANGES, ROWS, type Statement, type Steps } from './statement.js';
import { Params } from './template.js';

export interface Transacted<R> {
  readonly result: R;
  /** False: roll back; nothing that was asked for may stay. */
  readonly commit: boolean;
  /** Whether a lost answer to COMMIT would leave anything in doubt. */
  readonly wrote: boolean;
}

/** An id that was free when it was looked at was taken when it was written: the transaction is retried. */
export class Collision extends Error {
  constructor(
    readonly resource: ResourceName,
    readonly id: string,
    cause?: unknown,
  ) {
    super(
      `${resource} ${id} changed although it was held: somebody writes to it in a way that no lock sees`,
      {
        cause,
      },
    );
  }
}

const LOCKED_AT_ONCE = 500;
const ATTEMPTS_MAX = 3;

/**
 * Several writes in one transaction: locks the seals, then the records (resources and ids in one order everywhere, so that
 * two of these do not deadlock), judges every write by what it holds, and writes only when all is decided. So an
 * all-or-nothing batch that fails has written nothing. Writes go out in the order of the caller, who knows which row
 * refers to which.
 *
 * `holdFree`: MySQL only. Holding an id that is free locks the gap around it, and two of those deadlock as soon as both
 * insert; so at first the ids of inserts are only looked at, and held when that turned out to be wrong.
 */
export function* transact(
  plans: SqlPlans,
  operations: readonly WriteOperation[],
  { mode, holdFree }: { readonly mode: BatchMode; readonly holdFree: boolean },
): Steps<Transacted<readonly WriteOutcome[]>> {
  // The mapping may forbid a write: say so before anything is locked.
  for (const operation of operations) plans.guarded(operation);
  if (plans.dialect.name === 'sqlite') yield takeWriteLock(plans.table(operations[0]!.resource));
  const scopes = plans.seals === undefined ? [] : sorted(operations.map(({ fence }) => fence?.scope));
  const sealed = yield* holdSeals(plans, scopes);
  const records = yield* holdRecords(plans, operations, holdFree);
  const outcomes = operations.map((operation) => {
    const at = keyOf(operation);
    const seal = operation.fence === undefined ? undefined : sealed.get(operation.fence.scope);
    const judgement = judge(operation, { record: records.get(at), sealed: seal ?? null });
    if (judgement.effect === 'remove') records.delete(at);
    if (judgement.effect === 'put') records.set(at, judgement.next);
    return judgement.outcome;
  });
  const written = operations.filter((_, i) => outcomes[i]!.kind === 'written');
  if (mode === 'all-or-nothing' && written.length < operations.length) {
    return { result: allOrNothing(outcomes), commit: false, wrote: false };
  }
  const changing = written.filter(({ kind }) => kind !== 'check');
  for (const run of alikeRuns(changing)) yield* writeHeld(plans, run, holdFree);
  return { result: outcomes, commit: true, wrote: changing.length > 0 };
}

/** Writes what the records that are held allow. */
function* writeHeld(plans: SqlPlans, run: readonly WriteOperation[], heldFree: boolean): Steps<void> {
  const bulk = run.length > 1 ? yield* plans.bulk(run) : undefined;
  if (bulk !== undefined) {
    const outcomes = bulk.outcomes(yield bulk.statement);
    const refused = outcomes.findIndex((outcome) => outcome?.kind !== 'written');
    if (refused >= 0) throw new Collision(run[refused]!.resource, run[refused]!.id);
    return;
  }
  for (const operation of run) {
    const write = plans.guarded(operation)!;
    let outcome: WriteOutcome | undefined;
    try {
      outcome = write.outcome(operation, yield write.bind(operation));
    } catch (error) {
      // Elsewhere, or a second time, it is the key of another index.
      const ownKey = plans.dialect.name === 'mysql' && operation.kind === 'insert' && !heldFree;
      if (failureOf(error) !== 'duplicate' || !ownKey) throw error;
      throw new Collision(operation.resource, operation.id, error);
    }
    if (outcome?.kind !== 'written') throw new Collision(operation.resource, operation.id);
  }
}

/** SQLite: a transaction that begins with a read cannot always go on to write; one that begins with a write can. */
const takeWriteLock = ({
  name,
  version,
}: {
  readonly name: string;
  readonly version: string;
}): Statement => ({
  text: `UPDATE ${name} SET ${version} = ${version} WHERE FALSE`,
  params: [],
  hints: CHANGES,
});

/** Scope to token, null for one that is written down but was never sealed. Held against sealing until the end. */
export function* holdSeals(
  plans: SqlPlans,
  scopes: readonly string[],
): Steps<ReadonlyMap<string, bigint | null>> {
  const held = new Map<string, bigint | null>();
  if (scopes.length === 0) return held;
  const { dialect } = plans;
  if (dialect.name === 'sqlite') yield takeWriteLock({ name: plans.sealsTable(), version: 'token' });
  for (let attempt = 1; ; attempt++) {
    const params = new Params(dialect);
    const { rows } = yield {
      text:
        `SELECT scope, ${dialect.digits('token')} AS token FROM ${plans.sealsTable()} ` +
        `WHERE scope IN (${params.list(scopes)}) ORDER BY scope${dialect.forShare}`,
      params: params.values,
      hints: ROWS,
    };
    for (const { scope, token } of rows) {
      held.set(scope as string, token === null ? null : BigInt(token as string));
    }
    const missing = scopes.filter((scope) => !held.has(scope));
    // SQLite: the write lock is held, so a row that is not there will not come.
    if (missing.length === 0 || dialect.name === 'sqlite') return held;
    if (attempt === ATTEMPTS_MAX) {
      throw new Error(`the table of fences does not keep a row for ${missing.join(', ')}`);
    }
    for (const scope of missing) yield writeDownScope(plans, scope);
  }
}

/** A scope without a row could be sealed beside a write that found nothing to hold on to: so there always is one. */
function writeDownScope(plans: SqlPlans, scope: string): Statement {
  const { dialect } = plans;
  const into = `INTO ${plans.sealsTable()} (scope) VALUES (${dialect.placeholder(1)})`;
  return { text: dialect.insertUnlessThere(into, 'scope'), params: [scope], hints: CHANGES };
}

function* holdRecords(
  plans: SqlPlans,
  operations: readonly WriteOperation[],
  holdFree: boolean,
): Steps<Map<string, RecordState>> {
  const found = new Map<string, RecordState>();
  const peekAtFree = plans.dialect.name === 'mysql' && !holdFree;
  for (const resource of sorted(operations.map((operation) => operation.resource))) {
    const here = operations.filter((operation) => operation.resource === resource);
    const held = sorted(here.map(({ kind, id }) => (peekAtFree && kind === 'insert' ? undefined : id)));
    const { forShare, forUpdate } = plans.dialect;
    const lock = here.every(({ kind }) => kind === 'check') ? forShare : forUpdate;
    yield* lookAt(plans, { resource, ids: held, lock, found });
    const peeked = sorted(here.map(({ id }) => (held.includes(id) ? undefined : id)));
    yield* lookAt(plans, { resource, ids: peeked, lock: '', found });
  }
  return found;
}

interface Look {
  readonly resource: ResourceName;
  readonly ids: readonly string[];
  readonly lock: string;
  readonly found: Map<string, RecordState>;
}

function* lookAt(plans: SqlPlans, { resource, ids, lock, found }: Look): Steps<void> {
  const { dialect } = plans;
  const { name, id, version, fence } = plans.table(resource);
  for (let from = 0; from < ids.length; from += LOCKED_AT_ONCE) {
    const some = ids.slice(from, from + LOCKED_AT_ONCE);
    const params = new Params(dialect);
    const { rows } = yield {
      text:
        `SELECT ${dialect.digits(`t.${id}`)} AS quorate_id, ${dialect.digits(`t.${version}`)} AS quorate_version, ` +
        `${fence === undefined ? 'NULL' : dialect.digits(`t.${fence}`)} AS quorate_fence FROM ${name} AS t ` +
        `WHERE t.${id} IN (${params.list(some)}) ORDER BY t.${id}${lock}`,
      params: params.values,
      hints: ROWS,
    };
    for (const { quorate_id, quorate_version, quorate_fence } of rows) {
      const spelled = some.length === 1 ? some[0]! : (quorate_id as string);
      found.set(keyOf({ resource, id: spelled }), {
        version: Number(quorate_version),
        fence: quorate_fence === null ? null : BigInt(quorate_fence as string),
      });
    }
  }
}

/** Raises the seal of a scope; waits for every write that holds it. */
export function* sealScope(plans: SqlPlans, fence: Fence): Steps<Transacted<SealOutcome>> {
  const { dialect } = plans;
  const { scope } = fence;
  const seals = plans.sealsTable();
  if (dialect.name === 'sqlite') yield writeDownScope(plans, scope);
  const look: Statement = {
    text: `SELECT ${dialect.digits('token')} AS token, owner FROM ${seals} WHERE scope = ${dialect.placeholder(1)}${dialect.forUpdate}`,
    params: [scope],
    hints: ROWS,
  };
  let { rows } = yield look;
  if (rows.length === 0) {
    yield writeDownScope(plans, scope);
    ({ rows } = yield look);
  }
  const [row] = rows;
  const digits = (row?.['token'] ?? null) as string | null;
  const present =
    digits === null ? undefined : { token: BigInt(digits), owner: row!['owner'] as string | null };
  const { outcome, next } = judgeSeal(fence, present);
  if (next === undefined) return { result: outcome, commit: false, wrote: false };
  const params = new Params(dialect);
  yield {
    text:
      `UPDATE ${seals} SET token = ${dialect.token(params.add(next.token))}, owner = ${params.add(next.owner)} ` +
      `WHERE scope = ${params.add(scope)}`,
    params: params.values,
    hints: CHANGES,
  };
  return { result: outcome, commit: true, wrote: true };
}

const keyOf = ({ resource, id }: { readonly resource: ResourceName; readonly id: string }): string =>
  `${resource}\u0000${id}`;

const sorted = (names: readonly (string | undefined)[]): readonly string[] =>
  [...new Set(names.filter((name) => name !== undefined))].sort();
