import { existsSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Backup, openBackup } from './backup-reader.js';
import {
  type BackupHead,
  type BackupShard,
  FORMAT_VERSION,
  type FrameType,
  MAGIC,
  Running,
  TYPE,
} from './backup-format.js';
import { OfflineError } from './offline-error.js';

/**
 * Writes a backup under a temporary name, a shard after the other, and gives it its name when it was read back. What fails leaves no
 * file behind.
 */
export class BackupWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #running = new Running();

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Throws OfflineError when the file is there already, or cannot be made. */
  static async create(path: string, head: Omit<BackupHead, 'format'>): Promise<BackupWriter> {
    if (existsSync(path))
      throw new OfflineError(`${path} is there already: give another name, or remove it`, 'wrong-use');
    const temporary = `${path}.${process.pid}.tmp`;
    const file = await open(temporary, 'wx').catch((error: unknown) => {
      throw new OfflineError(`${path} cannot be written: ${(error as Error).message}`, 'wrong-use');
    });
    const writer = new BackupWriter(path, temporary, file);
    await file.write(MAGIC);
    await writer.#json(TYPE.head, { format: FORMAT_VERSION, ...head });
    return writer;
  }

  /** One shard. When its chunks end with an error, the file is as it was before, and this rejects: the shard may be written again. */
  async shard(shard: BackupShard, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const before = this.#running.copy();
    try {
      await this.#json(TYPE.shard, shard);
      let bytes = 0;
      for await (const chunk of chunks) {
        if (chunk.length === 0) continue;
        await this.#frame(TYPE.chunk, chunk);
        bytes += chunk.length;
      }
      await this.#json(TYPE.shardEnd, { shard: shard.shard, bytes });
      return bytes;
    } catch (error) {
      await this.#file.truncate(before.bytes);
      this.#running = before;
      throw error;
    }
  }

  /** Ends the file, makes it durable, reads it back, and gives it its name. */
  async finish(endedAt: string): Promise<Backup> {
    await this.#json(TYPE.end, { endedAt, sha256: this.#running.sha256 });
    await this.#file.sync();
    await this.#file.close();
    const backup = await openBackup(this.#temporary);
    renameSync(this.#temporary, this.#path);
    const directory = await open(dirname(this.#path), 'r');
    await directory.sync();
    await directory.close();
    return { ...backup, path: this.#path };
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    rmSync(this.#temporary, { force: true });
  }

  #json(type: FrameType, value: unknown): Promise<void> {
    return this.#frame(type, Buffer.from(JSON.stringify(value)));
  }
  async #frame(type: FrameType, payload: Uint8Array): Promise<void> {
    const at = this.#running.bytes;
    const bytes = this.#running.frame(type, payload);
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, at + done);
      done += bytesWritten;
    }
  }
}
