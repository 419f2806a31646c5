import { type Log, snapshotPieces, unwatched, type Work } from '../kernel/index.js';
import type { DiskRoom, LogRecord, Storage } from './ports.js';
import type { ShardHost } from './shard-host.js';
import type { SnapshotSource } from './snapshot-source.js';

/** On a scarce disk the log may grow by this share of the threshold only. */
const SCARCE_SHARE = 8;

/**
 * Keeps the log short: when it has grown past a threshold every shard writes a snapshot, and the log begins again with
 * what a restart needs beside it (promise, accepted and not yet covered values).
 */
export class Compaction {
  readonly #storage: Storage;
  readonly #thresholdBytes: number;
  readonly #source: Pick<SnapshotSource, 'keepFrom'>;
  readonly #log: Log;
  readonly #work: Work;
  #room: DiskRoom = 'enough';
  #running = false;
  #floorBytes = 0;

  /** `source`: knows what of a log a peer still needs. */
  constructor(
    storage: Storage,
    thresholdBytes: number,
    source: Pick<SnapshotSource, 'keepFrom'>,
    log: Log,
    work: Work = unwatched,
  ) {
    this.#log = log;
    this.#work = work;
    this.#source = source;
    this.#storage = storage;
    this.#thresholdBytes = thresholdBytes;
  }

  /** True while a round runs. */
  get running(): boolean {
    return this.#running;
  }

  maybeRun(hosts: readonly ShardHost[]): void {
    if (this.#running || hosts.length === 0) return;
    const room = this.#storage.room();
    this.#tell(room);
    // A shorter log is what gives a scarce disk room again.
    const threshold = room === 'scarce' ? this.#thresholdBytes / SCARCE_SHARE : this.#thresholdBytes;
    if (room === 'none' || this.#storage.logBytes() - this.#floorBytes < threshold) return;
    this.#running = true;
    this.#shard(hosts, 0);
  }

  #tell(room: DiskRoom): void {
    const before = this.#room;
    this.#room = room;
    if ((room === 'enough') === (before === 'enough')) return;
    if (room === 'enough') this.#log.info('the disk has room again: writes are taken');
    else
      this.#log.error(
        'the disk is nearly full: this replica refuses writes until it has room; heartbeats and reads go on. Make room on the disk of the data directory.',
      );
  }

  /** One shard after the other, each in a turn of its own. */
  #shard(hosts: readonly ShardHost[], index: number): void {
    const host = hosts[index];
    if (host === undefined) return this.#rebase(hosts);
    const next = (): void => this.#shard(hosts, index + 1);
    // A command that is under way would be in the state and not in `through`.
    host.finishApplying();
    const through = host.machine.appliedThrough;
    if (through === 0) return next();
    // The state of this moment, in pieces: the log goes on meanwhile.
    const chunks = snapshotPieces(host.machine.snapshot(), this.#work);
    this.#storage.writeSnapshot(host.shard, through, chunks, () => {
      host.step({ kind: 'snapshotTaken', through, keepFrom: this.#source.keepFrom(host, through) });
      next();
    });
  }

  #rebase(hosts: readonly ShardHost[]): void {
    // What every shard holds at one moment: accepted values that no snapshot covers are there without a gap.
    const records = (): readonly LogRecord[] =>
      this.#work('compaction', () => hosts.flatMap((host) => host.hardState()));
    this.#storage.rebase(records, () => {
      this.#floorBytes = this.#storage.logBytes();
      this.#running = false;
    });
  }
}
