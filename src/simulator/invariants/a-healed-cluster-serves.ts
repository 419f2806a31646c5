import type { History } from '../history.js';

/** Once faults have ended, every client gets an answer in bounded time. */
export function aHealedClusterServes({ stuck }: History): string | undefined {
  return stuck.length === 0 ? undefined : stuck.join('; ');
}
