import type { Slot } from '../kernel/index.js';
import type { LogRecord, Storage } from './ports.js';
import type { ShardHost } from './shard-host.js';

/**
 * Keeps the log short: when it has grown past a threshold every shard writes a snapshot, and the log begins anew with
 * what a restart needs beside it (promise, accepted and not yet covered values).
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
    this.#shard(hosts, 0);
  }

  /** One shard after the other, each in a turn of its own. */
  #shard(hosts: readonly ShardHost[], index: number): void {
    const host = hosts[index];
    if (host === undefined) return this.#rebase(hosts);
    const next = (): void => this.#shard(hosts, index + 1);
    const through = host.machine.appliedThrough;
    if (through === 0) return next();
    this.#storage.writeSnapshot(host.shard, through, [...host.machine.snapshot()], () => {
      host.step({ kind: 'snapshotTaken', through, keepFrom: this.#keepFrom(host) });
      next();
    });
  }

  #rebase(hosts: readonly ShardHost[]): void {
    // What every shard holds at one moment: accepted values that no snapshot covers stand there without a gap.
    const records = (): readonly LogRecord[] => hosts.flatMap((host) => host.hardState());
    this.#storage.rebase(records, () => {
      this.#floorBytes = this.#storage.logBytes();
      this.#running = false;
    });
  }
}
