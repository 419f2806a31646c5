import {
  ByteReader,
  ByteWriter,
  codec,
  MalformedBytesError,
  type MonotonicMs,
  monotonicMs,
  type ShardId,
  shardId,
  type Slot,
  slot,
  type WallMs,
  wallMs,
} from '../kernel/index.js';
import { type Message, readMessage } from '../paxos/index.js';

/** What replicas say to each other: one byte of kind, then the body. Numbers are on the wire: never change or reuse one. */
const KIND = {
  paxos: 1,
  forward: 2,
  forwarded: 3,
  // 4 was a snapshot pushed unasked, before version 0.1.0.
  audit: 5,
  snapshotOffer: 6,
  snapshotAsk: 7,
  snapshotChunk: 8,
  position: 9,
  readAsk: 10,
  readAnswer: 11,
  clockAsk: 12,
  clockAnswer: 13,
} as const;

const through = codec.nullable(codec.branded<Slot, number>()(codec.uint));

interface ShardMessage {
  readonly shard: ShardId;
  readonly message: Message;
}

export type PeerFrame =
  /** Messages of the shards' Paxos cores, any number of shards in one frame. */
  | {
      readonly kind: 'paxos';
      readonly messages: readonly ShardMessage[];
    }
  /** A command for the leader of a shard, unstamped, and its answer as JSON. */
  | {
      readonly kind: 'forward';
      readonly request: number;
      readonly shard: ShardId;
      readonly payload: Uint8Array;
    }
  | { readonly kind: 'forwarded'; readonly request: number; readonly outcome: string }
  /** The receiver lacks slots that the sender's log does not hold any more: it may ask for a snapshot. */
  | { readonly kind: 'snapshotOffer'; readonly shard: ShardId; readonly logBegins: Slot }
  /** For the bytes from `offset` to `until` of the snapshot named; the newest one when it is not there. */
  | {
      readonly kind: 'snapshotAsk';
      readonly shard: ShardId;
      readonly through: Slot;
      readonly crc: number;
      readonly offset: number;
      readonly until: number;
      /** Begins or resumes; what was asked for before counts no more. */
      readonly first: boolean;
    }
  | {
      readonly kind: 'snapshotChunk';
      readonly shard: ShardId;
      readonly through: Slot;
      /** Of the whole snapshot. */
      readonly size: number;
      readonly crc: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** How far the disk of the sender has come. To replicas of feature level 2. */
  | { readonly kind: 'position'; readonly position: number }
  /** Through which slot has the leader of a shard applied, for a read? To replicas of feature level 3. */
  | { readonly kind: 'readAsk'; readonly request: number; readonly shard: ShardId }
  /** `through`: null from who does not lead. */
  | {
      readonly kind: 'readAnswer';
      readonly request: number;
      readonly shard: ShardId;
      readonly through: Slot | null;
    }
  /** What does your wall clock say? `askedAt`: the sender's monotonic clock, which comes back. To replicas of feature level 3. */
  | { readonly kind: 'clockAsk'; readonly askedAt: MonotonicMs }
  | { readonly kind: 'clockAnswer'; readonly askedAt: MonotonicMs; readonly wall: WallMs }
  /** The rolling hash of what was applied, for comparison. */
  | { readonly kind: 'audit'; readonly shard: ShardId; readonly slot: Slot; readonly hash: number };

/** Gathers the Paxos messages of one turn for one peer. */
export class PaxosBundle {
  readonly #writer = new ByteWriter(4096);
  #count = 0;
  /** True while everything inside may be lost without harm (heartbeats). */
  droppable = true;

  get empty(): boolean {
    return this.#count === 0;
  }
  add(shard: ShardId, encoded: ByteWriter, droppable: boolean): void {
    if (this.#count++ === 0) this.#writer.u8(KIND.paxos);
    this.#writer.varint(shard);
    this.#writer.varint(encoded.length);
    this.#writer.append(encoded);
    this.droppable &&= droppable;
  }
  get bytes(): number {
    return this.#writer.length;
  }
  /** The frame; valid until the next `add`. */
  take(): Buffer {
    const frame = this.#writer.copy();
    this.#writer.reset();
    this.#count = 0;
    this.droppable = true;
    return frame;
  }
}

export function encodeFrame(frame: Exclude<PeerFrame, { kind: 'paxos' }>): Buffer {
  const w = new ByteWriter(256);
  w.u8(KIND[frame.kind]);
  switch (frame.kind) {
    case 'forward':
      w.varint(frame.request);
      w.varint(frame.shard);
      w.raw(frame.payload);
      break;
    case 'forwarded':
      w.varint(frame.request);
      w.string(frame.outcome);
      break;
    case 'snapshotOffer':
      w.varint(frame.shard);
      w.varint(frame.logBegins);
      break;
    case 'snapshotAsk':
      w.varint(frame.shard);
      w.varint(frame.through);
      w.u32(frame.crc);
      w.varint(frame.offset);
      w.varint(frame.until);
      w.u8(frame.first ? 1 : 0);
      break;
    case 'snapshotChunk':
      w.varint(frame.shard);
      w.varint(frame.through);
      w.varint(frame.size);
      w.u32(frame.crc);
      w.varint(frame.offset);
      w.raw(frame.bytes);
      break;
    case 'position':
      w.varint(frame.position);
      break;
    case 'readAsk':
      w.varint(frame.request);
      w.varint(frame.shard);
      break;
    case 'readAnswer':
      w.varint(frame.request);
      w.varint(frame.shard);
      through.write(w, frame.through);
      break;
    case 'clockAsk':
      w.f64(frame.askedAt);
      break;
    case 'clockAnswer':
      w.f64(frame.askedAt);
      w.f64(frame.wall);
      break;
    case 'audit':
      w.varint(frame.shard);
      w.varint(frame.slot);
      w.u32(frame.hash);
      break;
  }
  return w.view();
}

/**
 * Reads a whole frame, so that nothing of one that cannot be read takes effect. Throws MalformedBytesError. Byte fields
 * are views into `bytes`.
 */
export function decodeFrame(bytes: Uint8Array): PeerFrame {
  const r = new ByteReader(bytes);
  const kind = r.u8();
  switch (kind) {
    case KIND.paxos:
      return { kind: 'paxos', messages: paxosMessages(r) };
    case KIND.forward:
      return {
        kind: 'forward',
        request: r.varint(),
        shard: shardId(r.varint()),
        payload: r.raw(r.remaining),
      };
    case KIND.forwarded:
      return { kind: 'forwarded', request: r.varint(), outcome: r.string() };
    case KIND.snapshotOffer:
      return { kind: 'snapshotOffer', shard: shardId(r.varint()), logBegins: slot(r.varint()) };
    case KIND.snapshotAsk:
      return {
        kind: 'snapshotAsk',
        shard: shardId(r.varint()),
        through: slot(r.varint()),
        crc: r.u32(),
        offset: r.varint(),
        until: r.varint(),
        first: r.u8() === 1,
      };
    case KIND.snapshotChunk:
      return {
        kind: 'snapshotChunk',
        shard: shardId(r.varint()),
        through: slot(r.varint()),
        size: r.varint(),
        crc: r.u32(),
        offset: r.varint(),
        bytes: r.raw(r.remaining),
      };
    case KIND.position:
      return { kind: 'position', position: r.varint() };
    case KIND.readAsk:
      return { kind: 'readAsk', request: r.varint(), shard: shardId(r.varint()) };
    case KIND.readAnswer:
      return {
        kind: 'readAnswer',
        request: r.varint(),
        shard: shardId(r.varint()),
        through: through.read(r),
      };
    case KIND.clockAsk:
      return { kind: 'clockAsk', askedAt: monotonicMs(finite(r.f64())) };
    case KIND.clockAnswer:
      return { kind: 'clockAnswer', askedAt: monotonicMs(finite(r.f64())), wall: wallMs(finite(r.f64())) };
    case KIND.audit:
      return { kind: 'audit', shard: shardId(r.varint()), slot: slot(r.varint()), hash: r.u32() };
    default:
      throw new MalformedBytesError(`a peer frame of the unknown kind ${kind}`);
  }
}

function paxosMessages(r: ByteReader): readonly ShardMessage[] {
  const messages: ShardMessage[] = [];
  while (r.remaining > 0) messages.push({ shard: shardId(r.varint()), message: readMessage(r, r.varint()) });
  return messages;
}

function finite(time: number): number {
  if (!Number.isFinite(time)) throw new MalformedBytesError(`a time of ${time}`);
  return time;
}
