import {
  type Log,
  type ShardId,
  type Slot,
  SNAPSHOT_CHUNK_BYTES,
  type Steps,
  type Work,
} from '../kernel/index.js';
import type { Machine } from '../machine/index.js';
import type { Clock, Storage } from './ports.js';
import type { ShardHost } from './shard-host.js';
import type { WholeSnapshot } from './snapshot-receiver.js';
import { softly } from './softly.js';

interface InstallerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly work: Work;
  readonly guard: (action: () => void) => void;
}

/**
 * Makes the snapshot of a peer the state of a shard: read in steps, so that other shards go on, then written, then taken. It is
 * read before it is written: a snapshot of a newer version must not take the place of the one that this version reads.
 */
export class SnapshotInstaller {
  readonly #options: InstallerOptions;
  /** The newest on its way, of each shard. */
  readonly #underWay = new Map<ShardId, Slot>();

  constructor(options: InstallerOptions) {
    this.#options = options;
  }

  /** Through where the shard is, or will be as soon as what has come is installed. */
  reaches({ shard, machine }: ShardHost): Slot {
    const underWay = this.#underWay.get(shard);
    return underWay !== undefined && underWay > machine.appliedThrough ? underWay : machine.appliedThrough;
  }

  install(host: ShardHost, whole: WholeSnapshot): void {
    const { through, bytes } = whole;
    if (through <= this.reaches(host)) return;
    this.#underWay.set(host.shard, through);
    this.#step(host, whole, host.restoring(bytes, through));
  }

  #step(host: ShardHost, whole: WholeSnapshot, steps: Steps<Machine>): void {
    const { through, bytes } = whole;
    const { storage, clock, log, work, guard } = this.#options;
    const next = softly(log, 'a snapshot that a peer sent', () => work('snapshot-load', () => steps.next()));
    if (next === undefined) return this.#ended(host, through);
    if (next.done !== true) {
      clock.after(0, () => guard(() => this.#step(host, whole, steps)));
      return;
    }
    const restored = next.value;
    storage.writeSnapshot(host.shard, through, inPieces(bytes), () => {
      this.#ended(host, through);
      if (host.install(restored))
        log.info(`shard ${host.shard} has the state at slot ${through} from a snapshot of a peer`);
    });
  }

  #ended({ shard }: ShardHost, through: Slot): void {
    if (this.#underWay.get(shard) === through) this.#underWay.delete(shard);
  }
}

function* inPieces(bytes: Buffer): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += SNAPSHOT_CHUNK_BYTES)
    yield bytes.subarray(at, at + SNAPSHOT_CHUNK_BYTES);
}
