import type { History } from '../history.js';

/** At any moment, what would be left of a disk without power is enough: a start on a copy of it finds all that it owes. */
export function aCrashNowLosesNothing({ rehearsed }: History): string | undefined {
  const [first] = rehearsed;
  return first === undefined
    ? undefined
    : `had the power of replica ${first.replica} failed at ${first.at} ms, before a ${first.before}: ${first.problem}`;
}
