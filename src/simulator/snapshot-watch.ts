import type { ReplicaId, ShardId } from '../kernel/index.js';
import type { History } from './history.js';
import type { Station } from './strike.js';
import type { VirtualTime } from './virtual-time.js';

const PREFIX = '/data/snapshot-';

/** The slot of the newest snapshot of each shard, by the names of the files of a disk. */
function newestByName(names: Iterable<string>): ReadonlyMap<ShardId, number> {
  const newest = new Map<ShardId, number>();
  for (const name of names) {
    if (!name.startsWith(PREFIX)) continue;
    const [shard, through] = name.slice(PREFIX.length).split('-').map(Number);
    // One that is not whole yet has another ending.
    if (through === undefined || Number.isNaN(through)) continue;
    newest.set(shard as ShardId, Math.max(through, newest.get(shard as ShardId) ?? 0));
  }
  return newest;
}

/** Which snapshot a start takes although there is a newer one; undefined: it takes the newest of each shard. */
export function olderTaken(names: Iterable<string>, taken: ReadonlyMap<ShardId, number>): string | undefined {
  for (const [shard, through] of newestByName(names))
    if ((taken.get(shard) ?? 0) < through)
      return `of shard ${shard} a start takes the snapshot of slot ${taken.get(shard) ?? 'none'}, and there is one of slot ${through}`;
  return undefined;
}

/** Looks at the disks themselves: a snapshot of a shard that is durable never goes before a newer one is there. */
export class SnapshotWatch {
  readonly #time: VirtualTime;
  readonly #history: History;
  readonly #durable = new Map<ReplicaId, Map<ShardId, number>>();

  constructor(time: VirtualTime, history: History) {
    this.#time = time;
    this.#history = history;
  }

  look({ id, disk, damaged }: Station): void {
    if (damaged) return;
    const durable = this.#durable.get(id) ?? new Map<ShardId, number>();
    this.#durable.set(id, durable);
    const present = newestByName(disk.names);
    for (const [shard, through] of durable)
      if ((present.get(shard) ?? 0) < through)
        this.#seen(
          `the disk of replica ${id} had a snapshot of shard ${shard} through slot ${through}, and has one through ${present.get(shard) ?? 'none'}`,
        );
    for (const [shard, through] of newestByName(disk.durableNames))
      durable.set(shard, Math.max(through, durable.get(shard) ?? 0));
  }

  /** A start has opened the disk. */
  opened(station: Station, taken: ReadonlyMap<ShardId, number>): void {
    this.look(station);
    if (station.damaged) return;
    const older = olderTaken(station.disk.names, taken);
    if (older !== undefined) this.#seen(`replica ${station.id}: ${older}`);
  }

  #seen(what: string): void {
    if (!this.#history.witnessed.has('the-newest-snapshot-counts'))
      this.#history.witnessed.set('the-newest-snapshot-counts', `at ${this.#time.now} ms ${what}`);
  }
}
