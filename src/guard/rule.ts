import type { SealOutcome, StaleEpoch, WriteOutcome } from './outcomes.js';

/** The right to write for a scope. Tokens of a scope only grow. */
interface WriteFence {
  readonly scope: string;
  readonly token: bigint;
}

/** One write, as far as the rule needs it. `version` is the one that was read. */
type JudgedWrite = { readonly fence?: WriteFence | null } & (
  | { readonly kind: 'insert' }
  | { readonly kind: 'update' | 'delete' | 'touch' | 'check'; readonly version: number }
);

/** The part of a record that the rule reads and changes. */
export interface RecordState {
  readonly version: number;
  /** The highest token that ever wrote the record; null when none did. */
  readonly fence: bigint | null;
}

/** What the store knows when it judges a write. The store must hold all of it fixed until the write is done. */
interface KnownState {
  /** Undefined when there is no such record. */
  readonly record: RecordState | undefined;
  /** What the store remembers of a deleted record with this id. */
  readonly tombstone?: RecordState | undefined;
  /** A new record gets a version above this one. Default 0. */
  readonly versionFloor?: number;
  /** The token that the scope of the write was sealed with; null when it never was. */
  readonly sealed: bigint | null;
}

/** The answer to a write, and what the store has to do. */
type Judgement =
  /** The write was refused, or was a check. */
  | { readonly effect: 'none'; readonly outcome: WriteOutcome }
  | { readonly effect: 'put'; readonly outcome: WriteOutcome; readonly next: RecordState }
  /** Stores that remember deleted records keep `tombstone`. */
  | { readonly effect: 'remove'; readonly outcome: WriteOutcome; readonly tombstone: RecordState };

/**
 * The rule: a write is taken if and only if its token is not below the fence of the record or the seal of its scope, and
 * the record is at the version that was read (for an insert: does not exist).
 */
export function judge(write: JudgedWrite, known: KnownState): Judgement {
  const { record, tombstone, versionFloor = 0, sealed } = known;
  const wrote = (record ?? tombstone)?.fence ?? null;
  // First, because an owner that has lost its scope must not act on any other outcome.
  const stale = staleEpoch(write.fence, wrote, sealed);
  if (stale !== undefined) return { effect: 'none', outcome: stale };
  const fence = write.fence?.token ?? wrote;
  if (write.kind === 'insert') {
    if (record !== undefined)
      return { effect: 'none', outcome: { kind: 'already-exists', actual: record.version } };
    const version = Math.max(tombstone?.version ?? 0, versionFloor) + 1;
    return { effect: 'put', outcome: { kind: 'written', version }, next: { version, fence } };
  }
  if (record === undefined) return { effect: 'none', outcome: { kind: 'not-found' } };
  const { version } = record;
  if (version !== write.version) {
    return {
      effect: 'none',
      outcome: { kind: 'version-conflict', expected: write.version, actual: version },
    };
  }
  const next = { version: version + 1, fence };
  switch (write.kind) {
    case 'check':
      return { effect: 'none', outcome: { kind: 'written', version } };
    case 'delete':
      return { effect: 'remove', outcome: { kind: 'written', version }, tombstone: next };
    case 'touch':
    case 'update':
      return { effect: 'put', outcome: { kind: 'written', version: version + 1 }, next };
  }
}

function staleEpoch(
  fence: WriteFence | null | undefined,
  wrote: bigint | null,
  sealed: bigint | null,
): StaleEpoch | undefined {
  if (fence === null || fence === undefined) return undefined;
  const { scope, token } = fence;
  const current = (wrote ?? -1n) > (sealed ?? -1n) ? wrote : sealed;
  return current !== null && current > token ? { kind: 'stale-epoch', scope, token, current } : undefined;
}

/** The seal of a scope. */
export interface Seal {
  readonly token: bigint;
  /** Null when no owner was named. */
  readonly owner: string | null;
}

interface SealJudgement {
  readonly outcome: SealOutcome;
  /** The seal to store; undefined when it was refused. */
  readonly next: Seal | undefined;
}

/** The rule for seals: they only go up. The same token again is taken from the same owner, or when one of the two names none. */
export function judgeSeal(
  { scope, token, owner = null }: WriteFence & { readonly owner?: string | null },
  present: Seal | undefined,
): SealJudgement {
  const known = present?.token === token ? present.owner : null;
  const foreign = known !== null && owner !== null && known !== owner;
  if (present !== undefined && (present.token > token || foreign)) {
    return { outcome: { kind: 'stale-epoch', scope, token, current: present.token }, next: undefined };
  }
  return {
    outcome: { kind: 'sealed', previous: present?.token ?? null },
    next: { token, owner: owner ?? known },
  };
}
