import { crc32c, type ShardId, type Slot } from '../kernel/index.js';
import type { DiskIdentity, LogRecord, OpenedStorage, OpenSnapshot, Storage } from '../replica/index.js';
import { READ_BYTES } from './piecewise-file.js';

/** What outlives a process: hand the same disk to the next `openMemoryStorage`. */
export interface MemoryDisk {
  readonly synced: LogRecord[];
  identity: DiskIdentity | undefined;
  readonly snapshots: Map<ShardId, { readonly through: Slot; readonly body: Buffer }>;
  /** How many records were released before the first of `synced`. */
  released: number;
}

export const blankDisk = (): MemoryDisk => ({
  synced: [],
  identity: undefined,
  snapshots: new Map(),
  released: 0,
});

export interface MemoryStorageOptions {
  readonly disk: MemoryDisk;
  /** Runs a sync some time later: the scheduler of a simulation, or `setImmediate`. */
  readonly later: (sync: () => void) => void;
  /** Return an error to let a sync fail. */
  readonly fault?: () => Error | undefined;
}

/** A storage in memory with the semantics of the real one: what was not synced when the process died is gone. */
export function openMemoryStorage(options: MemoryStorageOptions): Promise<OpenedStorage> {
  const { disk } = options;
  const blank = disk.synced.length === 0 && disk.released === 0 && disk.identity === undefined;
  return Promise.resolve({
    storage: new MemoryStorage(options),
    identity: disk.identity,
    incarnation: undefined,
    condition: blank ? { kind: 'blank' } : { kind: 'intact', droppedBytes: 0 },
    records: [...disk.synced],
    snapshots: new Map([...disk.snapshots].map(([shard, { through }]) => [shard, through])),
  });
}

class MemoryStorage implements Storage {
  readonly #options: MemoryStorageOptions;
  #group: LogRecord[] = [];
  /** Where in the group a base begins. */
  #baseAt: number | undefined;
  #waiting: (() => void)[] = [];
  #snapshotJobs: (() => void)[] = [];
  #wanted = false;
  #syncing = false;
  #dead = false;
  #onFailure: ((error: Error) => void) | undefined;

  constructor(options: MemoryStorageOptions) {
    this.#options = options;
  }

  append(records: readonly LogRecord[], sync: boolean, done?: () => void): void {
    if (this.#dead) return;
    for (const { shard, type, payload } of records)
      this.#group.push({ shard, type, payload: Buffer.from(payload) });
    if (!sync) return;
    if (done !== undefined) this.#waiting.push(done);
    this.#wanted = true;
    this.#sync();
  }

  #sync(): void {
    if (this.#syncing || !this.#wanted) return;
    this.#syncing = true;
    this.#options.later(() => {
      if (this.#dead) return;
      const error = this.#options.fault?.();
      if (error !== undefined) {
        this.#dead = true;
        this.#onFailure?.(new Error(`cannot sync memory: ${error.message}`));
        return;
      }
      const { disk } = this.#options;
      const released = this.#baseAt === undefined ? 0 : disk.synced.length + this.#baseAt;
      this.#baseAt = undefined;
      for (const record of this.#group.splice(0)) disk.synced.push(record);
      disk.synced.splice(0, released);
      disk.released += released;
      this.#wanted = false;
      this.#syncing = false;
      for (const done of this.#waiting.splice(0)) done();
      this.#sync();
    });
  }

  writeSnapshot(shard: ShardId, through: Slot, chunks: Iterable<Uint8Array>, done: () => void): void {
    // One after the other, and a piece at a time, as on a disk.
    const pieces = chunks[Symbol.iterator]();
    const written: Buffer[] = [];
    const write = (): void =>
      this.#options.later(() => {
        if (this.#dead) return void pieces.return?.();
        const piece = this.#pieceOf(pieces);
        if (piece === undefined) return;
        if (piece !== 'end') {
          written.push(piece);
          return write();
        }
        const { snapshots } = this.#options.disk;
        if (through >= (snapshots.get(shard)?.through ?? 0))
          snapshots.set(shard, { through, body: Buffer.concat(written) });
        done();
        this.#snapshotJobs.shift();
        this.#snapshotJobs[0]?.();
      });
    this.#snapshotJobs.push(write);
    if (this.#snapshotJobs.length === 1) write();
  }

  /** Undefined when there is an error instead. */
  #pieceOf(pieces: Iterator<Uint8Array>): Buffer | 'end' | undefined {
    try {
      const next = pieces.next();
      return next.done === true ? 'end' : Buffer.from(next.value);
    } catch (error) {
      this.#dead = true;
      this.#onFailure?.(new Error(`cannot write a snapshot: ${(error as Error).message}`, { cause: error }));
      return undefined;
    }
  }

  readSnapshot(
    shard: ShardId,
  ): Promise<{ readonly through: Slot; readonly chunks: AsyncIterable<Uint8Array> } | undefined> {
    const found = this.#options.disk.snapshots.get(shard);
    return Promise.resolve(
      found === undefined ? undefined : { through: found.through, chunks: once(found.body) },
    );
  }

  openSnapshot(shard: ShardId): Promise<OpenSnapshot | undefined> {
    const found = this.#options.disk.snapshots.get(shard);
    if (found === undefined) return Promise.resolve(undefined);
    const { through, body } = found;
    return Promise.resolve({
      through,
      size: body.length,
      crc: crc32c(body),
      read: (offset) => Promise.resolve(body.subarray(offset, offset + READ_BYTES)),
      close: () => undefined,
    });
  }

  rebase(records: () => readonly LogRecord[], done: () => void): void {
    if (this.#dead) return;
    this.#baseAt = this.#group.length;
    this.append(records(), true, done);
  }
  position(): number {
    return this.#options.disk.released + this.#options.disk.synced.length;
  }
  room(): 'enough' {
    return 'enough';
  }
  logBytes(): number {
    return this.#options.disk.synced.reduce((sum, { payload }) => sum + payload.length + 16, 0);
  }
  saveIdentity(identity: DiskIdentity): Promise<void> {
    this.#options.disk.identity = identity;
    return Promise.resolve();
  }
  close(): Promise<void> {
    if (!this.#dead) for (const record of this.#group.splice(0)) this.#options.disk.synced.push(record);
    this.#dead = true;
    return Promise.resolve();
  }
  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- the port hands out chunks that may come later
async function* once(body: Buffer): AsyncIterable<Uint8Array> {
  yield body;
}
