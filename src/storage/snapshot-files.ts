import { join } from 'node:path';
import { crc32c, type ShardId, shardId, type Slot, slot } from '../kernel/index.js';
import { type FileSystem, replaceFile } from './file-system.js';

const MAGIC = Buffer.from('QUORSNP1', 'latin1');
const HEADER_BYTES = 24;
const CHUNK_BYTES = 1024 * 1024;

/** Snapshots, a file each: header (magic, crc of the body, slot), body. Replaced atomically; the newest valid one counts. */
export class SnapshotFiles {
  readonly #directory: string;
  readonly #fileSystem: FileSystem;
  readonly newest = new Map<ShardId, Slot>();
  readonly #bytes = new Map<ShardId, number>();

  constructor(directory: string, fileSystem: FileSystem) {
    this.#directory = directory;
    this.#fileSystem = fileSystem;
    for (const name of fileSystem.readdirSync(directory)) {
      if (name.endsWith('.tmp')) fileSystem.rmSync(join(directory, name));
      const match = /^snapshot-(\d+)-(\d+)$/.exec(name);
      if (match === null) continue;
      const shard = shardId(Number(match[1]));
      const through = slot(Number(match[2]));
      if (through <= (this.newest.get(shard) ?? 0)) continue;
      this.newest.set(shard, through);
      this.#bytes.set(shard, this.#size(name));
    }
  }

  get largestBytes(): number {
    return Math.max(0, ...this.#bytes.values());
  }

  #size(name: string): number {
    const file = this.#fileSystem.openSync(join(this.#directory, name), 'r');
    try {
      return this.#fileSystem.fstatSync(file).size;
    } finally {
      this.#fileSystem.closeSync(file);
    }
  }

  #path(shard: ShardId, through: Slot): string {
    return join(this.#directory, snapshotName(shard, through));
  }

  /** Does nothing when a newer one is there. */
  write(shard: ShardId, through: Slot, chunks: Iterable<Uint8Array>): void {
    const older = this.newest.get(shard);
    // A snapshot from a peer may have overtaken a compaction of our own. The log before the newer one may be gone.
    if (older !== undefined && through < older) return;
    const body = [...chunks];
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(
      body.reduce((crc, chunk) => crc32c(chunk, crc), 0),
      8,
    );
    header.writeDoubleLE(through, 16);
    replaceFile(this.#fileSystem, this.#directory, snapshotName(shard, through), [header, ...body]);
    this.newest.set(shard, through);
    this.#bytes.set(shard, HEADER_BYTES + body.reduce((sum, { length }) => sum + length, 0));
    if (older !== undefined && older !== through)
      this.#fileSystem.rmSync(this.#path(shard, older), { force: true });
  }

  /** The body, checked. Throws when it is damaged. */
  read(shard: ShardId): { readonly through: Slot; readonly body: Buffer } | undefined {
    const through = this.newest.get(shard);
    if (through === undefined) return undefined;
    const path = this.#path(shard, through);
    const bytes = this.#fileSystem.readFileSync(path);
    const body = bytes.subarray(HEADER_BYTES);
    const intact =
      bytes.length >= HEADER_BYTES &&
      bytes.subarray(0, 8).equals(MAGIC) &&
      bytes.readUInt32LE(12) === 0 &&
      bytes.readDoubleLE(16) === through &&
      bytes.readUInt32LE(8) === crc32c(body);
    if (!intact) throw new Error(`the snapshot ${path} is damaged`);
    return { through, body };
  }
}

const snapshotName = (shard: ShardId, through: Slot): string => `snapshot-${shard}-${through}`;

export function* inChunks(body: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at === 0 || at < body.length; at += CHUNK_BYTES) yield body.subarray(at, at + CHUNK_BYTES);
}
