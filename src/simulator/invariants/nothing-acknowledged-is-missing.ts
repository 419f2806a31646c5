import type { History } from '../history.js';

/**
 * A read finds every offset that was acknowledged before it began, or one whose end nobody knew and that came behind it;
 * and none that nobody tried to commit.
 */
export function nothingAcknowledgedIsMissing({ reads }: History): string | undefined {
  for (const { group, atLeast, found, atMost, open } of reads) {
    if (found < atLeast && open !== true)
      return `group ${group}: offset ${atLeast} was acknowledged, and a later read found ${found}`;
    if (found > atMost)
      return `group ${group}: a read found ${found}, and at most ${atMost} was ever committed`;
  }
  return undefined;
}
