import type { History } from '../history.js';

/** Who cannot write anything down must give the leadership to somebody who can. */
export function aStalledDiskLeadsNothing({ stalledLeases }: History): string | undefined {
  const [first] = stalledLeases;
  return first === undefined
    ? undefined
    : `at ${first.at} ms replica ${first.replica} leads shard ${first.shard}, and its disk stalls since ${first.since} ms`;
}
