import { crc32c, type MonotonicMs, type ReplicaId, type ShardId, type Slot, slot } from '../kernel/index.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import type { Clock, Transport } from './ports.js';
import { CHUNK_BYTES } from './snapshot-source.js';

/** A source that sends nothing for so long is given up. Milliseconds. */
const STALLED_MS = 15_000;
/** After its link broke, a source may offer again for so long before another is asked. Milliseconds. */
const RESUME_MS = 3_000;
/** While no leader is known, its offer is waited for. Milliseconds. */
const LEADER_FIRST_MS = 500;
/** A peer repeats its offer while we need it; an older one is forgotten. Milliseconds. */
const OFFER_MS = 5_000;

type Offer = Extract<PeerFrame, { kind: 'snapshotOffer' }>;
type Chunk = Extract<PeerFrame, { kind: 'snapshotChunk' }>;

/** What the bytes on the way may take: more would keep heartbeats waiting in the operating system's queue. */
const WINDOW_BYTES_MAX = 4 * 1024 * 1024;
const QUICK_MS = 25;
const SLOW_MS = 100;

/** How many bytes may be on their way: as many as the link takes within a blink. */
class Window {
  bytes = 2 * CHUNK_BYTES;
  #probe: { readonly offset: number; readonly at: MonotonicMs } | undefined;
  #quickestMs = Infinity;

  asked(until: number, now: MonotonicMs): void {
    this.#probe ??= { offset: until, at: now };
  }
  received(through: number, now: MonotonicMs): void {
    if (this.#probe === undefined || through < this.#probe.offset) return;
    const tookMs = now - this.#probe.at;
    this.#probe = undefined;
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    const queuedMs = tookMs - this.#quickestMs;
    if (tookMs < QUICK_MS || queuedMs < QUICK_MS / 2) this.bytes = Math.min(WINDOW_BYTES_MAX, this.bytes * 2);
    else if (queuedMs > SLOW_MS) this.bytes = Math.max(CHUNK_BYTES, this.bytes / 2);
  }
}

interface Offered {
  readonly logBegins: Slot;
  readonly at: MonotonicMs;
  /** When it offered first. */
  readonly since: MonotonicMs;
}

interface Transfer {
  readonly shard: ShardId;
  readonly from: ReplicaId;
  readonly window: Window;
  asked: number;
  heardAt: MonotonicMs;
}

/** What has come of a snapshot. It stays when its source goes, for another that has the same one. */
interface Partial {
  readonly from: ReplicaId;
  brokenAt: MonotonicMs | undefined;
  readonly through: Slot;
  readonly crc: number;
  readonly body: Buffer;
  has: number;
}

export interface WholeSnapshot {
  readonly shard: ShardId;
  readonly through: Slot;
  readonly bytes: Buffer;
}

/** What a receiver asks of the shards. */
interface ReceivedShards {
  /** Through where it is, or will be by what was received before. Undefined when there is no such shard. */
  reaches(shard: ShardId): Slot | undefined;
  leaderOf(shard: ShardId): ReplicaId | undefined;
}

/** Fetches snapshots: one at a time, from one source, resumed where it broke off. */
export class SnapshotReceiver {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #shards: ReceivedShards;
  readonly #offers = new Map<ShardId, Map<ReplicaId, Offered>>();
  readonly #partial = new Map<ShardId, Partial>();
  /** Complete, though perhaps not written and installed yet. */
  readonly #receivedThrough = new Map<ShardId, Slot>();
  #transfer: Transfer | undefined;

  constructor(transport: Transport, clock: Clock, shards: ReceivedShards) {
    this.#transport = transport;
    this.#clock = clock;
    this.#shards = shards;
  }

  offered(from: ReplicaId, { shard, logBegins }: Offer): void {
    if (!this.#needs(shard, logBegins)) return;
    const offers = this.#offers.get(shard) ?? new Map<ReplicaId, Offered>();
    this.#offers.set(shard, offers);
    const now = this.#clock.monotonic();
    offers.set(from, { logBegins, at: now, since: offers.get(from)?.since ?? now });
    this.#next();
  }

  #needs(shard: ShardId, logBegins: Slot): boolean {
    const applied = this.#shards.reaches(shard);
    return applied !== undefined && Math.max(applied, this.#receivedThrough.get(shard) ?? 0) + 1 < logBegins;
  }

  /** Returns the whole snapshot with its last chunk. */
  received(from: ReplicaId, chunk: Chunk): WholeSnapshot | undefined {
    const transfer = this.#transfer;
    if (transfer?.from !== from || transfer.shard !== chunk.shard) return undefined;
    const { shard, through, size, crc, offset, bytes } = chunk;
    let partial = this.#partial.get(shard);
    if (partial?.through !== through || partial.crc !== crc || partial.body.length !== size) {
      if (offset !== 0) return undefined;
      const body = Buffer.allocUnsafe(size);
      partial = { from, brokenAt: undefined, through, crc, body, has: 0 };
      this.#partial.set(shard, partial);
      transfer.asked = 0;
    }
    if (offset !== partial.has || offset + bytes.length > size) return undefined;
    partial.body.set(bytes, offset);
    partial.has += bytes.length;
    const now = this.#clock.monotonic();
    transfer.heardAt = now;
    transfer.window.received(partial.has, now);
    if (partial.has < size) {
      this.#ask(transfer, false);
      return undefined;
    }
    this.#partial.delete(shard);
    const intact = crc32c(partial.body) === crc;
    if (intact) this.#receivedThrough.set(shard, through);
    this.#end();
    return intact ? { shard, through, bytes: partial.body } : undefined;
  }

  tick(): void {
    const now = this.#clock.monotonic();
    if (this.#transfer !== undefined && now - this.#transfer.heardAt > STALLED_MS) this.#end();
    for (const [shard, { through }] of this.#partial) {
      if (through > (this.#shards.reaches(shard) ?? through)) continue;
      // The log has come from elsewhere.
      this.#partial.delete(shard);
      if (this.#transfer?.shard === shard) this.#end();
    }
    this.#next();
  }

  peerDown(peer: ReplicaId): void {
    for (const offers of this.#offers.values()) offers.delete(peer);
    if (this.#transfer?.from !== peer) return;
    const partial = this.#partial.get(this.#transfer.shard);
    if (partial?.from === peer) partial.brokenAt = this.#clock.monotonic();
    this.#end();
  }

  #end(): void {
    if (this.#transfer !== undefined) this.#offers.get(this.#transfer.shard)?.delete(this.#transfer.from);
    this.#transfer = undefined;
    this.#next();
  }

  #next(): void {
    if (this.#transfer !== undefined) return;
    const now = this.#clock.monotonic();
    for (const [shard, offers] of this.#offers) {
      const leader = this.#shards.leaderOf(shard);
      for (const [from, { logBegins, at, since }] of offers) {
        const partial = this.#partial.get(shard);
        const resumable = partial?.brokenAt !== undefined && now - partial.brokenAt < RESUME_MS;
        if (resumable && partial.from !== from) continue;
        // Who gives the snapshot keeps the log behind it, and the leader is who sends that log.
        const wait = leader === undefined ? now - since < LEADER_FIRST_MS : leader !== from;
        if (wait && partial?.from !== from) continue;
        offers.delete(from);
        if (now - at > OFFER_MS || !this.#needs(shard, logBegins)) continue;
        this.#transfer = { shard, from, window: new Window(), asked: 0, heardAt: now };
        return this.#ask(this.#transfer, true);
      }
      if (offers.size === 0) this.#offers.delete(shard);
    }
  }

  /** `first`: whatever this source was asked for before counts no more. */
  #ask(transfer: Transfer, first: boolean): void {
    const { shard, from, window } = transfer;
    const partial = this.#partial.get(shard);
    const { through, crc, has: offset } = partial ?? { through: slot(0), crc: 0, has: 0 };
    const until = offset + window.bytes;
    // Asked for early enough that the source never runs dry, and not with each chunk.
    if (!first && until - transfer.asked < window.bytes / 4) return;
    transfer.asked = until;
    window.asked(Math.min(until, partial?.body.length ?? until), this.#clock.monotonic());
    const frame = encodeFrame({ kind: 'snapshotAsk', shard, through, crc, offset, until, first });
    this.#transport.send(from, frame, 'normal');
  }
}
