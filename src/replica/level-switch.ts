import type { OwnDisk } from './own-disk.js';
import type { Peers } from './peers.js';
import type { ShardHost } from './shard-host.js';

/** Shard 0 may say that the cluster uses more than the disk and the peers say. Its leader raises what raises itself. */
export function noteLevel([facts]: readonly ShardHost[], peers: Peers, disk: OwnDisk): void {
  if (facts === undefined) return;
  peers.uses(facts.machine.level);
  disk.levelRaised();
  const level = peers.toRaise();
  if (level !== undefined && facts.leadership.serving)
    facts.submit({ kind: 'level.raise', level }, () => undefined);
}
