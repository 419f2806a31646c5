import type { Fence, WriteOperation, WriteOutcome } from './model.js';

/** What counts of a record when a write is judged. */
export interface RecordState {
  readonly version: number;
  readonly fence: bigint | null;
}

export interface Decision {
  readonly outcome: WriteOutcome;
  /** The record afterwards; undefined when there is none. The same object as before when nothing changes. */
  readonly next: RecordState | undefined;
}

/**
 * The rule of this library, for stores that judge a write with the record held fast. `sealed` is the token that the
 * scope of the write was sealed with, null when it never was.
 */
export function decide(
  operation: WriteOperation,
  found: RecordState | undefined,
  sealed: bigint | null,
): Decision {
  const stale = staleOutcome(operation.fence, found, sealed);
  if (stale !== undefined) return { outcome: stale, next: found };
  const fence = operation.fence?.token ?? found?.fence ?? null;
  if (operation.kind === 'insert') {
    return found === undefined
      ? { outcome: { kind: 'written', version: 1 }, next: { version: 1, fence } }
      : { outcome: { kind: 'already-exists', actual: found.version }, next: found };
  }
  if (found === undefined) return { outcome: { kind: 'not-found' }, next: undefined };
  const { version } = found;
  if (version !== operation.version) {
    return {
      outcome: { kind: 'version-conflict', expected: operation.version, actual: version },
      next: found,
    };
  }
  switch (operation.kind) {
    case 'check':
      return { outcome: { kind: 'written', version }, next: found };
    case 'delete':
      return { outcome: { kind: 'written', version }, next: undefined };
    case 'touch':
    case 'update':
      return {
        outcome: { kind: 'written', version: version + 1 },
        next: { version: version + 1, fence },
      };
  }
}

/** A stale epoch is reported before anything else: whoever has lost the partition needs to know nothing more. */
function staleOutcome(
  fence: Fence | undefined,
  found: RecordState | undefined,
  sealed: bigint | null,
): WriteOutcome | undefined {
  if (fence === undefined) return undefined;
  const { scope, token } = fence;
  const written = found?.fence ?? -1n;
  const current = sealed !== null && sealed > written ? sealed : written;
  return current > token ? { kind: 'stale-epoch', scope, token, current } : undefined;
}

/** What is known of the seal of a scope. */
export interface Seal {
  readonly token: bigint;
  readonly owner: string | null;
}

/** The seal after `fence` asked for it; undefined when a later owner, or another one with the same token, was first. */
export function decideSeal(fence: Fence, present: Seal | undefined): Seal | undefined {
  const { token, owner = null } = fence;
  if (present === undefined || present.token < token) return { token, owner };
  if (present.token > token) return undefined;
  const foreign = present.owner !== null && owner !== null && present.owner !== owner;
  return foreign ? undefined : { token, owner: owner ?? present.owner };
}
