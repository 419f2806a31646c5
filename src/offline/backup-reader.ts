import { type FileHandle, open } from 'node:fs/promises';
import {
  type BackupEnd,
  type BackupHead,
  type BackupShard,
  type BackupShardEnd,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  type FrameType,
  MAGIC,
  PAYLOAD_BYTES_MAX,
  Running,
  TYPE,
} from './backup-format.js';
import { OfflineError } from './offline-error.js';

export interface ShardInBackup extends BackupShard, BackupShardEnd {
  /** Where its first chunk is in the file. */
  readonly at: number;
}

/** A backup that was read to its end: every checksum is right. */
export interface Backup {
  readonly path: string;
  readonly bytes: number;
  readonly head: BackupHead;
  readonly end: BackupEnd;
  /** By shard; all of them are there. */
  readonly shards: readonly ShardInBackup[];
}

/** Reads a whole backup, a frame at a time. Throws OfflineError that names the place when it is not whole. */
export async function openBackup(path: string): Promise<Backup> {
  const file = await opened(path);
  try {
    return await read(path, file);
  } finally {
    await file.close();
  }
}

/** The snapshot of one shard. */
export async function snapshotIn({ path }: Backup, { at, bytes }: ShardInBackup): Promise<Buffer> {
  const file = await opened(path);
  try {
    const whole = Buffer.allocUnsafe(bytes);
    for (let position = at, filled = 0; filled < bytes;) {
      const header = await exactly(file, position, FRAME_HEADER_BYTES);
      const length = header?.readUInt32LE(0) ?? 0;
      if (length === 0 || filled + length > bytes)
        throw damaged(path, position, 'it changed while it was read');
      const chunk = await exactly(file, position + FRAME_HEADER_BYTES, length);
      if (chunk === undefined) throw damaged(path, position, 'it changed while it was read');
      chunk.copy(whole, filled);
      filled += length;
      position += FRAME_HEADER_BYTES + length;
    }
    return whole;
  } finally {
    await file.close();
  }
}

async function opened(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error: unknown) => {
    throw new OfflineError(`${path} cannot be read: ${(error as Error).message}`, 'wrong-use');
  });
}

async function read(path: string, file: FileHandle): Promise<Backup> {
  const magic = await exactly(file, 0, MAGIC.length);
  if (magic?.equals(MAGIC) !== true) throw new OfflineError(`${path} is no backup of Quorate`, 'damaged');
  const running = new Running();
  const frames = new FrameOrder(path);
  for (;;) {
    const at = running.bytes;
    const { sha256 } = running;
    const frame = await nextFrame(file, at);
    if (frame === undefined || !running.takes(frame))
      throw damaged(
        path,
        at,
        frame === undefined ? 'it ends, or what follows is no frame' : 'the checksum is wrong',
      );
    const end = frames.take(at, frame[8] as FrameType, frame.subarray(FRAME_HEADER_BYTES));
    if (end === undefined) continue;
    if (end.sha256 !== sha256) throw damaged(path, at, 'the checksum of the whole file is wrong');
    const { size } = await file.stat();
    if (size !== running.bytes) throw damaged(path, running.bytes, 'there is more behind its end');
    return frames.whole(running.bytes, end);
  }
}

const damaged = (path: string, at: number, what: string): OfflineError =>
  new OfflineError(`the backup ${path} is damaged at byte ${at}: ${what}. Use another copy.`, 'damaged');

/** Undefined when there is none. */
async function nextFrame(file: FileHandle, at: number): Promise<Buffer | undefined> {
  const header = await exactly(file, at, FRAME_HEADER_BYTES);
  const length = header?.readUInt32LE(0);
  if (length === undefined || length > PAYLOAD_BYTES_MAX) return undefined;
  return exactly(file, at, FRAME_HEADER_BYTES + length);
}

async function exactly(file: FileHandle, at: number, bytes: number): Promise<Buffer | undefined> {
  const into = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes;) {
    const { bytesRead } = await file.read(into, filled, bytes - filled, at + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return into;
}

/** Which frames follow which. */
class FrameOrder {
  readonly #path: string;
  #head: BackupHead | undefined;
  #open: { readonly shard: BackupShard; readonly at: number; bytes: number } | undefined;
  readonly #shards = new Map<number, ShardInBackup>();

  constructor(path: string) {
    this.#path = path;
  }

  take(at: number, type: FrameType, payload: Buffer): BackupEnd | undefined {
    const json = <T>(): T => JSON.parse(payload.toString()) as T;
    const wrong = damaged(this.#path, at, 'its frames contradict each other');
    if ((type === TYPE.head) !== (this.#head === undefined)) throw wrong;
    switch (type) {
      case TYPE.head: {
        const head = json<BackupHead>();
        if (head.format > FORMAT_VERSION)
          throw new OfflineError(
            `${this.#path} was written by a newer version (${head.version}): upgrade this one`,
            'damaged',
          );
        this.#head = head;
        return undefined;
      }
      case TYPE.shard:
        if (this.#open !== undefined) throw wrong;
        this.#open = { shard: json<BackupShard>(), at: at + FRAME_HEADER_BYTES + payload.length, bytes: 0 };
        return undefined;
      case TYPE.chunk:
        if (this.#open === undefined) throw wrong;
        this.#open.bytes += payload.length;
        return undefined;
      case TYPE.shardEnd: {
        const end = json<BackupShardEnd>();
        const open = this.#open;
        if (open?.shard.shard !== end.shard || open.bytes !== end.bytes || this.#shards.has(end.shard))
          throw wrong;
        this.#shards.set(end.shard, { ...open.shard, ...end, at: open.at });
        this.#open = undefined;
        return undefined;
      }
      case TYPE.end:
        if (this.#open !== undefined || this.#shards.size !== this.#head?.shards) throw wrong;
        return json<BackupEnd>();
      default:
        throw wrong;
    }
  }

  whole(bytes: number, end: BackupEnd): Backup {
    const shards = [...this.#shards.values()].sort((a, b) => a.shard - b.shard);
    return { path: this.#path, bytes, head: this.#head!, end, shards };
  }
}
