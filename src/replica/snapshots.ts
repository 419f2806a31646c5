import type { ReplicaId, ShardId, Slot } from '../kernel/index.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import type { Clock, Storage, StorageMark, Transport } from './ports.js';
import type { ShardHost } from './shard-host.js';

/** Between two tries to hand a chunk to a link whose queue is full. Milliseconds. */
const FULL_LINK_PAUSE_MS = 20;

/** Streams the newest snapshot of a shard to a peer that lags behind the log, at the speed of the link. */
export class SnapshotSender {
  readonly #storage: Storage;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #active = new Set<string>();

  constructor(storage: Storage, transport: Transport, clock: Clock) {
    this.#storage = storage;
    this.#transport = transport;
    this.#clock = clock;
  }

  /** Does nothing while the same transfer runs. Rejects when the snapshot cannot be read. */
  async send(shard: ShardId, to: ReplicaId, up: () => boolean): Promise<void> {
    const key = `${shard}>${to}`;
    if (this.#active.has(key)) return;
    this.#active.add(key);
    try {
      const snapshot = await this.#storage.readSnapshot(shard);
      if (snapshot === undefined) return;
      let index = 0;
      let held: Uint8Array | undefined;
      const pass = (bytes: Uint8Array, last: boolean): Promise<boolean> =>
        this.#push(
          to,
          encodeFrame({ kind: 'snapshot', shard, through: snapshot.through, index: index++, last, bytes }),
          up,
        );
      for await (const chunk of snapshot.chunks) {
        if (held !== undefined && !(await pass(held, false))) return;
        held = Buffer.from(chunk);
      }
      if (held !== undefined) await pass(held, true);
    } finally {
      this.#active.delete(key);
    }
  }

  async #push(to: ReplicaId, frame: Uint8Array, up: () => boolean): Promise<boolean> {
    while (up()) {
      if (this.#transport.send(to, frame, 'bulk')) return true;
      await new Promise<void>((resume) => this.#clock.after(FULL_LINK_PAUSE_MS, resume));
    }
    return false;
  }
}

/** Puts snapshots together that peers stream to us; a gap or a newer one starts over. */
export class SnapshotReceiver {
  readonly #partial = new Map<ShardId, { from: ReplicaId; through: Slot; chunks: Buffer[] }>();

  /** Returns the whole snapshot with its last chunk. */
  receive(from: ReplicaId, frame: Extract<PeerFrame, { kind: 'snapshot' }>): Buffer | undefined {
    const { shard, through, index, last } = frame;
    let partial = this.#partial.get(shard);
    if (index === 0) {
      partial = { from, through, chunks: [] };
      this.#partial.set(shard, partial);
    }
    if (partial?.from !== from || partial.through !== through || partial.chunks.length !== index)
      return undefined;
    partial.chunks.push(Buffer.from(frame.bytes));
    if (!last) return undefined;
    this.#partial.delete(shard);
    return Buffer.concat(partial.chunks);
  }

  peerDown(peer: ReplicaId): void {
    for (const [shard, { from }] of this.#partial) if (from === peer) this.#partial.delete(shard);
  }
}

/**
 * Keeps the log short: when it has grown past a threshold every shard writes a snapshot, appends again what a restart
 * needs beside it (promise, accepted and not yet covered values), and the segments before all that go.
 */
export class Compaction {
  readonly #storage: Storage;
  readonly #thresholdBytes: number;
  #running = false;
  #floorBytes = 0;

  constructor(storage: Storage, thresholdBytes: number) {
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
      host.step({ kind: 'snapshotTaken', through });
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
