import type { Sealed, SealOutcome, WriteOutcome } from './model.js';

/** What all errors of this library have in common. */
export abstract class LockingError extends Error {
  /** Stable, for programs. */
  abstract readonly code:
    | 'version-conflict'
    | 'not-found'
    | 'already-exists'
    | 'stale-epoch'
    | 'outcome-unknown'
    | 'unavailable'
    | 'not-owned';
  /** True when reading again and trying again makes sense. */
  abstract readonly retriable: boolean;
}

/** Somebody else changed the record since it was read. Read it again, decide again, write again. */
export class VersionConflictError extends LockingError {
  override readonly name = 'VersionConflictError';
  readonly code = 'version-conflict';
  readonly retriable: boolean = true;
  constructor(
    readonly resource: string,
    readonly id: string,
    readonly expected: number,
    readonly actual: number,
  ) {
    super(
      `${resource} ${id} is at version ${actual}, not ${expected}: somebody else changed it. Read it again and retry.`,
    );
  }
}

/** As a version conflict, and the merge function found that the two changes exclude each other. Not retried. */
export class UnmergeableError extends VersionConflictError {
  override readonly retriable: boolean = false;
}

/** There is no such record (any more). */
export class RecordNotFoundError extends LockingError {
  override readonly name = 'RecordNotFoundError';
  readonly code = 'not-found';
  readonly retriable = false;
  constructor(
    readonly resource: string,
    readonly id: string,
  ) {
    super(`${resource} ${id} does not exist (any more).`);
  }
}

/** An insert found its id taken. */
export class RecordExistsError extends LockingError {
  override readonly name = 'RecordExistsError';
  readonly code = 'already-exists';
  readonly retriable = true;
  constructor(
    readonly resource: string,
    readonly id: string,
    readonly actual: number,
  ) {
    super(`${resource} ${id} exists already, at version ${actual}.`);
  }
}

/** A later owner has taken over: this process must stop writing for the scope. Never retried. */
export class StaleEpochError extends LockingError {
  override readonly name = 'StaleEpochError';
  readonly code = 'stale-epoch';
  readonly retriable = false;
  constructor(
    readonly scope: string,
    readonly token: bigint,
    readonly current: bigint,
  ) {
    super(
      `the token ${token} of ${scope} is stale: ${current} has taken over. Stop working on it; what you did since is not wanted.${strangerNote(token, current)}`,
    );
  }
}

/** Tokens of a cluster begin with the second it was formed in, above these bits (groups/fences.ts). */
const FORMED_BITS = 21n;
const CLUSTERS_APART_S = 60n;

/** Tokens of two clusters are far apart. Those of one are not, unless the first was given by version 0.1.0 (from 1 up). */
function strangerNote(token: bigint, current: bigint): string {
  const [own, other] = [token >> FORMED_BITS, current >> FORMED_BITS];
  if (own === 0n || other - own < CLUSTERS_APART_S) return '';
  const formed = (seconds: bigint): string => new Date(Number(seconds) * 1_000).toISOString();
  return (
    ` The store has seen a token that the cluster of this worker never gave: that cluster was formed at ${formed(own)}, and the token is of one formed at ${formed(other)}.` +
    ' If the worker is connected to an older cluster, or one with a wrong clock, correct that first.'
  );
}

/**
 * The connection broke (or the server went away) between sending a write and hearing its answer: it may have happened
 * or not. Read the record: at `version + 1` with your values it happened. At the old version it did not happen yet, but may
 * still be on its way; the next guarded write at that version (a `touch` will do) settles it, for one of the two is refused.
 */
export class OutcomeUnknownError extends LockingError {
  override readonly name: string = 'OutcomeUnknownError';
  readonly code = 'outcome-unknown';
  readonly retriable = false;
  constructor(what: string, cause: unknown) {
    super(
      `${what}: the answer was lost, so it may or may not have happened. Read the record to find out before you write again.`,
      {
        cause,
      },
    );
  }
}

/** The store could not be asked at all. Nothing happened. */
export class StoreUnavailableError extends LockingError {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'unavailable';
  readonly retriable = true;
  constructor(what: string, cause: unknown) {
    super(`${what}. Nothing was written; try again when it is reachable.`, { cause });
  }
}

/** This process does not own the partition (any more), or does not know its token yet. Stop working on it. */
export class NotOwnedError extends LockingError {
  override readonly name = 'NotOwnedError';
  readonly code = 'not-owned';
  readonly retriable = false;
  constructor(
    readonly scope: string,
    readonly why: string,
  ) {
    super(`${scope} is not owned here: ${why}`);
  }
}

/** The error of an outcome; undefined for success. */
export function outcomeError(resource: string, id: string, outcome: WriteOutcome): LockingError | undefined {
  switch (outcome.kind) {
    case 'written':
    case 'skipped':
      return undefined;
    case 'not-found':
      return new RecordNotFoundError(resource, id);
    case 'version-conflict':
      return new VersionConflictError(resource, id, outcome.expected, outcome.actual);
    case 'already-exists':
      return new RecordExistsError(resource, id, outcome.actual);
    case 'stale-epoch':
      return new StaleEpochError(outcome.scope, outcome.token, outcome.current);
  }
}

/** What the `seal` of every store makes of the outcome of its `trySeal`. Throws StaleEpochError. */
export function sealedOrThrow(outcome: SealOutcome): Sealed {
  if (outcome.kind === 'sealed') return outcome;
  throw new StaleEpochError(outcome.scope, outcome.token, outcome.current);
}
