import { createHash, type Hash } from 'node:crypto';
import { crc32c } from '../kernel/index.js';

/**
 * The bytes of a backup. Integers are little-endian.
 *
 *   file  = "QUORBAK1", then frames, the last of which is an end
 *   frame = u32 length of the payload | u32 crc | u8 type | payload
 *
 * `crc` is CRC-32C over type and payload, continued from the frame before: a frame is valid only in its place. Frames: one head
 * (JSON); for each shard a shard (JSON), chunks of its snapshot, and a shard-end (JSON); one end (JSON) with the SHA-256 of all bytes before it.
 */
export const MAGIC = Buffer.from('QUORBAK1', 'latin1');
export const FRAME_HEADER_BYTES = 9;
export const FORMAT_VERSION = 1;
/** A frame that says it is longer is no frame. */
export const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;
export const TYPE = { head: 1, shard: 2, chunk: 3, shardEnd: 4, end: 5 } as const;
export type FrameType = (typeof TYPE)[keyof typeof TYPE];

/** What the file is. */
export interface BackupHead {
  readonly format: number;
  readonly clusterId: string;
  readonly shards: number;
  /** ISO 8601: when the first shard was asked for. */
  readonly startedAt: string;
  /** `online`: shards by reading through their leaders. `survivor`: from the disk of one replica, so that acknowledged writes may be missing. */
  readonly kind: 'online' | 'survivor';
  /** The version of Quorate that wrote it. */
  readonly version: string;
}
export interface BackupShard {
  readonly shard: number;
  /** The state through this slot. */
  readonly slot: number;
}
export interface BackupShardEnd {
  readonly shard: number;
  readonly bytes: number;
}
export interface BackupEnd {
  readonly endedAt: string;
  /** Of all bytes before the frame that says it: the id of the backup. Hexadecimal. */
  readonly sha256: string;
}

/** What has been written or read so far, for the checksums of what follows. */
export class Running {
  #crc = 0;
  #hash: Hash = createHash('sha256').update(MAGIC);
  #bytes = MAGIC.length;

  get bytes(): number {
    return this.#bytes;
  }
  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }
  copy(): Running {
    const copy = new Running();
    copy.#crc = this.#crc;
    copy.#hash = this.#hash.copy();
    copy.#bytes = this.#bytes;
    return copy;
  }

  /** The bytes of the next frame. */
  frame(type: FrameType, payload: Uint8Array): Buffer {
    const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
    bytes.writeUInt32LE(payload.length, 0);
    bytes[8] = type;
    bytes.set(payload, FRAME_HEADER_BYTES);
    this.#crc = crc32c(bytes, this.#crc, 8);
    bytes.writeUInt32LE(this.#crc, 4);
    this.#took(bytes);
    return bytes;
  }

  /** Whether these bytes are the next frame. */
  takes(frame: Buffer): boolean {
    const crc = crc32c(frame, this.#crc, 8);
    if (frame.readUInt32LE(4) !== crc) return false;
    this.#crc = crc;
    this.#took(frame);
    return true;
  }

  #took(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }
}
