import type { History } from '../history.js';

/** A read shows at least what any replica had applied when it began. */
export function readsAreFresh({ staleReads }: History): string | undefined {
  const [first] = staleReads;
  return first === undefined
    ? undefined
    : `at ${first.at} ms replica ${first.replica} answered a read of shard ${first.shard} with slot ${first.shows}; slot ${first.applied} had been applied when it began`;
}
