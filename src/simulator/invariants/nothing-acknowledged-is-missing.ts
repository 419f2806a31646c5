import type { History } from '../history.js';

/** A read finds every offset that was acknowledged before it began, and none that nobody tried to commit. */
export function nothingAcknowledgedIsMissing({ reads }: History): string | undefined {
  for (const { group, atLeast, found, atMost } of reads) {
    if (found < atLeast)
      return `group ${group}: offset ${atLeast} was acknowledged, and a later read found ${found}`;
    if (found > atMost)
      return `group ${group}: a read found ${found}, and at most ${atMost} was ever committed`;
  }
  return undefined;
}
