import { assert, type MonotonicMs, type ReplicaId, type ShardId, type Slot, slot } from '../kernel/index.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import type { Members } from './members.js';
import type { PaxosSettings } from './options.js';
import type { Clock, OpenSnapshot, Storage, Transport } from './ports.js';

/** Small, so that a heartbeat never waits long behind one on a slow link. Bytes. */
export const CHUNK_BYTES = 64 * 1024;
/** Between two tries to hand a chunk to a link whose queue is full. Milliseconds. */
const FULL_LINK_PAUSE_MS = 5;
/** How long a source keeps a snapshot, and the log behind it, for a receiver that makes no progress. Milliseconds. */
const KEPT_MS = 60_000;
/** The most log that is kept for a receiver. Bytes. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;
/** How many snapshots a source has open at once, with 1 MiB of each in memory; others wait. */
const SOURCES_MAX = 4;

type Ask = Extract<PeerFrame, { kind: 'snapshotAsk' }>;

/** What the transfers need of a shard. */
interface TransferredShard {
  readonly shard: ShardId;
  /** The first slot that its log still holds. */
  logBegins(): Slot;
  /** Through where a peer has it, as it said last, whether it votes or learns. */
  peerHas(peer: ReplicaId): Slot;
}

export interface SnapshotSourceOptions {
  readonly storage: Pick<Storage, 'openSnapshot'>;
  readonly transport: Pick<Transport, 'send'>;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  /** By how much the log grows between two rounds of shortening it. */
  readonly compactionBytes: number;
  /** How many entries the log keeps behind its snapshot anyway. */
  readonly paxos: Pick<PaxosSettings, 'retainedEntries'>;
  readonly members: Pick<Members, 'links'>;
}

interface Source {
  readonly snapshot: OpenSnapshot;
  /** What was read last, and where in the snapshot it begins. */
  piece: Uint8Array;
  pieceAt: number;
  /** The next byte to send, and up to where the receiver has asked. */
  at: number;
  until: number;
  pumping: boolean;
}

/** A receiver needs the log behind this slot, once it has the snapshot. */
interface Hold {
  through: Slot;
  progressAt: MonotonicMs;
  /** How often the log was shortened with this in the way. */
  rounds: number;
}

/**
 * Sends snapshots as their receivers ask for them, and says from where on the log must stay for them: a log that is cut
 * off before a receiver has its snapshot would make the whole transfer worthless.
 */
export class SnapshotSource {
  readonly #options: SnapshotSourceOptions;
  readonly #sources = new Map<string, Source>();
  readonly #loading = new Set<string>();
  readonly #holds = new Map<string, Hold>();
  readonly #roundsMax: number;
  #closed = false;

  constructor(options: SnapshotSourceOptions) {
    this.#options = options;
    this.#roundsMax = Math.max(4, HELD_BYTES_MAX / options.compactionBytes);
  }

  /** Tells a peer that lags behind the log that it may ask for the snapshot. */
  offer(of: TransferredShard, to: ReplicaId): void {
    const frame = encodeFrame({ kind: 'snapshotOffer', shard: of.shard, logBegins: of.logBegins() });
    this.#options.transport.send(to, frame, 'droppable');
  }

  /** Rejects when the snapshot cannot be read. */
  async asked(of: TransferredShard, from: ReplicaId, ask: Ask): Promise<void> {
    const key = transferKey(ask.shard, from);
    const { through, crc, offset, until, first } = ask;
    const known = this.#sources.get(key);
    const wanted = known?.snapshot.through === through && known.snapshot.crc === crc;
    // A request for more that comes when all was sent, or after a newer beginning, has had its answer.
    if (!first && !wanted) return;
    const source = wanted ? known : await this.#load(of, from);
    if (source === undefined) return;
    const { snapshot } = source;
    this.#renew(key, snapshot.through);
    // What is not there any more is answered with the newest, from its beginning.
    const same = snapshot.through === through && snapshot.crc === crc;
    if (first) source.at = same ? Math.min(offset, snapshot.size) : 0;
    source.until = Math.min(snapshot.size, same ? until : until - offset);
    await this.#pump(key, ask.shard, from, source);
  }

  async #load(of: TransferredShard, peer: ReplicaId): Promise<Source | undefined> {
    const key = transferKey(of.shard, peer);
    this.#drop(key);
    if (this.#loading.has(key) || this.#sources.size + this.#loading.size >= SOURCES_MAX) return undefined;
    this.#loading.add(key);
    try {
      for (;;) {
        const snapshot = await this.#options.storage.openSnapshot(of.shard);
        if (snapshot === undefined) return undefined;
        // The log was shortened to a newer snapshot meanwhile.
        const late = of.logBegins() > snapshot.through + 1;
        if (late || this.#closed) snapshot.close();
        if (this.#closed) return undefined;
        if (late) continue;
        const piece = new Uint8Array();
        const source: Source = { snapshot, piece, pieceAt: 0, at: 0, until: 0, pumping: false };
        this.#sources.set(key, source);
        return source;
      }
    } finally {
      this.#loading.delete(key);
    }
  }

  #renew(key: string, through: Slot): void {
    const rounds = this.#holds.get(key)?.rounds ?? 0;
    this.#holds.set(key, { through, progressAt: this.#options.clock.monotonic(), rounds });
  }

  async #pump(key: string, shard: ShardId, to: ReplicaId, source: Source): Promise<void> {
    if (source.pumping) return;
    source.pumping = true;
    const { snapshot } = source;
    const { through, size, crc } = snapshot;
    const goesOn = (): boolean => this.#sources.get(key) === source;
    try {
      while (goesOn() && source.at < source.until) {
        const offset = source.at;
        const bytes = pieceOf(source);
        if (bytes === undefined) {
          const piece = await snapshot.read(offset);
          assert(piece.length > 0, `the snapshot has ${size} bytes, also behind ${offset}`);
          source.piece = piece;
          source.pieceAt = offset;
          continue;
        }
        const frame = encodeFrame({ kind: 'snapshotChunk', shard, through, size, crc, offset, bytes });
        if (this.#options.transport.send(to, frame, 'bulk')) source.at += bytes.length;
        else
          await new Promise<void>((resolve) => void this.#options.clock.after(FULL_LINK_PAUSE_MS, resolve));
      }
    } catch (error) {
      // What is read of one that was dropped meanwhile is no fault.
      if (!goesOn()) return;
      this.#drop(key);
      throw error;
    } finally {
      source.pumping = false;
    }
    if (source.at === size && goesOn()) this.#drop(key);
  }

  /**
   * For each round of shortening the log: the first slot that a receiver still needs; undefined when none does. A
   * receiver that makes no progress, or is slower than the log grows, is forgotten: the log must stay bounded.
   * `through`: what the snapshot of this round covers.
   */
  keepFrom(of: TransferredShard, through: Slot): Slot | undefined {
    if (this.#holds.size === 0) return undefined;
    const { clock, members, paxos } = this.#options;
    const now = clock.monotonic();
    const peers = new Set(members.links().map(({ id }) => id));
    let first: number | undefined;
    for (const [key, hold] of this.#holds) {
      const { shard, peer } = transferOf(key);
      if (shard !== of.shard) continue;
      const has = of.peerHas(peer);
      if (has > hold.through) {
        this.#drop(key);
        hold.through = has;
        hold.progressAt = now;
      }
      const stands = now - hold.progressAt > KEPT_MS || ++hold.rounds > this.#roundsMax;
      // Who has caught up follows like any other, and may stop like any other.
      const caughtUp = has >= hold.through && has >= through - paxos.retainedEntries;
      if (stands || caughtUp || !peers.has(peer)) this.#forget(key);
      else first = Math.min(first ?? Infinity, hold.through + 1);
    }
    return first === undefined ? undefined : slot(first);
  }

  /** Frees what nobody asks for any more. */
  tick(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, { progressAt }] of this.#holds) if (now - progressAt > KEPT_MS) this.#forget(key);
  }
  #forget(key: string): void {
    this.#holds.delete(key);
    this.#drop(key);
  }
  #drop(key: string): void {
    this.#sources.get(key)?.snapshot.close();
    this.#sources.delete(key);
  }

  /** Sends nothing more, and has no snapshot open. */
  close(): void {
    this.#closed = true;
    for (const key of this.#sources.keys()) this.#drop(key);
  }
}

/** The next chunk, of what was read last; undefined when that has none of it. */
function pieceOf({ piece, pieceAt, at, until }: Source): Uint8Array | undefined {
  const from = at - pieceAt;
  if (from < 0 || from >= piece.length) return undefined;
  return piece.subarray(from, Math.min(from + CHUNK_BYTES, until - pieceAt));
}

const transferKey = (shard: ShardId, peer: ReplicaId): string => `${shard}>${peer}`;
function transferOf(key: string): { shard: ShardId; peer: ReplicaId } {
  const [shard, peer] = key.split('>').map(Number);
  return { shard: shard as ShardId, peer: peer as ReplicaId };
}
