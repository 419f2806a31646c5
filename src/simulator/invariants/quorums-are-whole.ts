import type { History } from '../history.js';

/** Who leads was promised by a prepare quorum; what is chosen, and who holds a lease, by an accept quorum. */
export function quorumsAreWhole({ quorums }: History): string | undefined {
  const [first] = quorums;
  return first === undefined
    ? undefined
    : `at ${first.at} ms replica ${first.leader} ${first.what} in shard ${first.shard} and ballot ${first.ballot}, with replicas ${first.with.join(', ')} alone`;
}
