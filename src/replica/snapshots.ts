import type { Slot } from '../kernel/index.js';
import type { Storage, StorageMark } from './ports.js';
import type { ShardHost } from './shard-host.js';

/**
 * Keeps the log short: when it has grown past a threshold every shard writes a snapshot, appends again what a restart
 * needs beside it (promise, accepted and not yet covered values), and the segments before all that go.
 */
export class Compaction {
  readonly #storage: Storage;
  readonly #thresholdBytes: number;
  readonly #keepFrom: (host: ShardHost) => Slot | undefined;
  #running = false;
  #floorBytes = 0;

  /** `keepFrom`: the first slot of a shard's log that a peer still needs. */
  constructor(storage: Storage, thresholdBytes: number, keepFrom: (host: ShardHost) => Slot | undefined) {
    this.#keepFrom = keepFrom;
    this.#storage = storage;
    this.#thresholdBytes = thresholdBytes;
  }

  /** True while a round runs. */
  get running(): boolean {
    return this.#running;
  }

  maybeRun(hosts: readonly ShardHost[]): void {
    if (this.#running || hosts.length === 0) return;
    if (this.#storage.logBytes() - this.#floorBytes < this.#thresholdBytes) return;
    this.#running = true;
    const mark = this.#storage.mark();
    this.#shard(hosts, 0, mark);
  }

  /** One shard after the other, each in a turn of its own. */
  #shard(hosts: readonly ShardHost[], index: number, mark: StorageMark): void {
    const host = hosts[index];
    if (host === undefined) return this.#release(hosts, mark);
    const next = (): void => this.#shard(hosts, index + 1, mark);
    const through = host.machine.appliedThrough;
    if (through === 0) return next();
    this.#storage.writeSnapshot(host.shard, through, [...host.machine.snapshot()], () => {
      host.step({ kind: 'snapshotTaken', through, keepFrom: this.#keepFrom(host) });
      next();
    });
  }

  #release(hosts: readonly ShardHost[], mark: StorageMark): void {
    const records = hosts.flatMap((host) => host.hardState());
    this.#storage.append(records, true, () => {
      this.#storage.releaseBefore(mark);
      this.#floorBytes = this.#storage.logBytes();
      this.#running = false;
    });
  }
}
