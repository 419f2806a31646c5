/** What happened to one write. Every kind except `written` means that the write changed nothing. */
export type WriteOutcome<Token = bigint> =
  /** `version` is the new one (for `check` the unchanged one, for `delete` the last one). */
  | { readonly kind: 'written'; readonly version: number }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'version-conflict'; readonly expected: number; readonly actual: number }
  /** For an insert: the id is taken; `actual` is the version it has. */
  | { readonly kind: 'already-exists'; readonly actual: number }
  | StaleEpoch<Token>
  /** In an all-or-nothing batch: allowed by itself, not done because another write failed. */
  | { readonly kind: 'skipped' };

/** A later owner has taken over: `current` is its token. */
export interface StaleEpoch<Token = bigint> {
  readonly kind: 'stale-epoch';
  readonly scope: string;
  readonly token: Token;
  readonly current: Token;
}

/** `previous` is the token before; null when the scope was never sealed. */
export interface Sealed<Token = bigint> {
  readonly kind: 'sealed';
  readonly previous: Token | null;
}
export type SealOutcome<Token = bigint> = Sealed<Token> | StaleEpoch<Token>;

/** An outcome for JSON: tokens are digits, because JSON numbers are exact only up to 2^53. */
export const outcomeInDigits = (outcome: WriteOutcome): WriteOutcome<string> =>
  outcome.kind === 'stale-epoch' ? staleInDigits(outcome) : outcome;

/** As `outcomeInDigits`, for a seal. */
export function sealInDigits(outcome: SealOutcome): SealOutcome<string> {
  if (outcome.kind === 'stale-epoch') return staleInDigits(outcome);
  return { kind: 'sealed', previous: outcome.previous === null ? null : String(outcome.previous) };
}

/** The inverse of `outcomeInDigits`. */
export const outcomeFromDigits = (outcome: WriteOutcome<string>): WriteOutcome =>
  outcome.kind === 'stale-epoch'
    ? { ...outcome, token: BigInt(outcome.token), current: BigInt(outcome.current) }
    : outcome;

const staleInDigits = ({ kind, scope, token, current }: StaleEpoch): StaleEpoch<string> => ({
  kind,
  scope,
  token: String(token),
  current: String(current),
});

/** The outcomes of an all-or-nothing batch, when each write by itself got these: one refusal skips the writes that were allowed. */
export function allOrNothing<Token>(
  outcomes: readonly WriteOutcome<Token>[],
): readonly WriteOutcome<Token>[] {
  if (outcomes.every(({ kind }) => kind === 'written')) return outcomes;
  return outcomes.map((outcome) => (outcome.kind === 'written' ? { kind: 'skipped' } : outcome));
}
