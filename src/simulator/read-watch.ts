import type { ShardId } from '../kernel/index.js';
import type { ReadOutcome, Replica } from '../replica/index.js';

type Read = Replica['read'];

/**
 * Watches how a replica answers reads. Who leads has applied at least what anybody has: a read that shows less than some replica
 * had applied when it began was answered by one that leads no more. `anywhere`: through where any replica has applied a shard.
 * `isMixed`: older versions answer a read at any replica with what they have.
 */
export function watchReads(
  replica: Replica,
  isMixed: boolean,
  anywhere: (shard: ShardId) => number,
  stale: (shard: ShardId, shows: number, applied: number) => void,
): void {
  const watched =
    (read: Read): Read =>
    (shard, done) => {
      const applied = anywhere(shard);
      read(shard, (outcome: ReadOutcome) => {
        if (outcome.kind === 'ok' && outcome.view.appliedThrough < applied)
          stale(shard, outcome.view.appliedThrough, applied);
        done(outcome);
      });
    };
  replica.read = watched(replica.read.bind(replica));
  if (!isMixed) replica.readAnywhere = watched(replica.readAnywhere.bind(replica));
}
