import type { ShardId } from '../../kernel/index.js';
import type { AdminSource } from '../port.js';
import * as present from '../present.js';
import { wasRemoved } from '../present-replicas.js';
import { refused } from './fresh-view.js';
import { Problem } from './problem.js';

/** Without a leader that is heard, what was applied here says nothing about what there is: "none" would be a guess. */
function requireKnown(source: AdminSource, shard: ShardId | undefined): void {
  const unknown = present.unknownShards(source, shard === undefined ? undefined : [shard]);
  if (unknown.length === 0) return;
  if (wasRemoved(source))
    throw new Problem(
      503,
      'Removed',
      `Replica ${source.self} was removed from the cluster, with the data directory that it has: ask another one. Stop it, and remove that directory.`,
    );
  throw new Problem(
    503,
    'Not known',
    `Replica ${source.self} hears no leader of shard ${unknown.join(', ')}. Try again in a second, ask another ` +
      'replica, or add ?stale to see what was applied here.',
  );
}

/** From here on this replica has applied whatever was acknowledged before: in that shard, in all without one. */
export async function caughtUp(
  source: AdminSource,
  stale: string | undefined,
  shard?: ShardId,
): Promise<void> {
  if (stale !== undefined) return;
  requireKnown(source, shard);
  const outcome = await (shard === undefined ? source.readAll() : source.readAnywhere(shard));
  if (outcome.kind !== 'ok') throw refused(outcome);
}

/** What is not there is answered with 404. */
export function found<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof present.NotFound) throw new Problem(404, 'Not found', error.message);
    throw error;
  }
}
