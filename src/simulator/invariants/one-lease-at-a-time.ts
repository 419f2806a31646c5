import type { History } from '../history.js';

/** At no moment may two replicas answer reads of a shard on their own. */
export function oneLeaseAtATime({ leases }: History): string | undefined {
  const two = leases.find(({ holders }) => holders.length > 1);
  return two === undefined
    ? undefined
    : `at ${two.at} ms replicas ${two.holders.join(' and ')} hold the lease of shard ${two.shard}`;
}
