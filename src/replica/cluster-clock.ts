import { type MonotonicMs, type ReplicaId, type WallMs, wallMs } from '../kernel/index.js';
import { isFullQuorum, type QuorumSystem, reachedBy } from '../paxos/index.js';
import type { Clock } from './ports.js';

/** What a peer said counts for as long. Milliseconds. */
const FRESH_MS = 30_000;
/** An answer that took longer says too little. Milliseconds. */
const ROUND_TRIP_MS_MAX = 1_000;
/** How fast the agreed time follows the clocks: it gains or loses this share of what the monotonic clock counts. */
const SLEW = 0.05;
/** The clocks are looked at no more often than this: each command asks for the time. Milliseconds. */
const FOLLOW_EVERY_MS = 50;
/** Wall clocks may differ by this much. Milliseconds. */
export const CLOCK_TOLERANCE_MS = 2_000;

/** A wall clock as what it is ahead of the monotonic clock of this process. */
interface Sample {
  readonly ahead: number;
  readonly at: MonotonicMs;
}

type Quorums = Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>;

/**
 * One time from the wall clocks of the replicas, so that no single one can move it. It begins at what a quorum of each kind
 * says has come: two accept quorums need not meet, and could say different times. It goes on by the monotonic clock of this
 * process, never more than a twentieth faster or slower.
 */
export class ClusterClock {
  readonly #self: ReplicaId;
  readonly #quorums: Quorums;
  readonly #clock: Clock;
  readonly #samples = new Map<ReplicaId, Sample>();
  /** How far the agreed time is ahead of the monotonic clock. Undefined until a quorum was heard. */
  #ahead: number | undefined;
  #slewedAt: MonotonicMs;

  constructor(self: ReplicaId, quorums: Quorums, clock: Clock) {
    this.#self = self;
    this.#quorums = quorums;
    this.#clock = clock;
    this.#slewedAt = clock.monotonic();
  }

  /** A peer's wall clock, asked for at `askedAt` of the own monotonic clock. */
  heard(peer: ReplicaId, wall: WallMs, askedAt: MonotonicMs): void {
    const at = this.#clock.monotonic();
    if (at < askedAt || at - askedAt > ROUND_TRIP_MS_MAX) return;
    this.#samples.set(peer, { ahead: wall - (askedAt + at) / 2, at });
  }

  /** The time of the cluster at a moment of the own monotonic clock, now; undefined until a quorum of clocks was heard. */
  now(at: MonotonicMs = this.#clock.monotonic()): WallMs | undefined {
    const ahead = this.#follow(at);
    return ahead === undefined ? undefined : wallMs(at + ahead);
  }

  /** Whether a quorum of wall clocks says that a time has come, give or take what clocks may differ by. */
  confirms(time: WallMs): boolean {
    const quorum = this.#reached();
    return quorum !== undefined && time <= this.#clock.monotonic() + quorum + CLOCK_TOLERANCE_MS;
  }

  /** How far each wall clock is ahead of the time of the cluster, of those that were heard lately. Milliseconds. */
  offsets(): ReadonlyMap<ReplicaId, number> {
    const agreed = this.#follow(this.#clock.monotonic());
    if (agreed === undefined) return new Map();
    return new Map([...this.#known()].map(([id, ahead]) => [id, Math.round(ahead - agreed)]));
  }

  #follow(now: MonotonicMs): number | undefined {
    if (this.#ahead !== undefined && now - this.#slewedAt < FOLLOW_EVERY_MS) return this.#ahead;
    const quorum = this.#reached();
    const most = (now - this.#slewedAt) * SLEW;
    this.#slewedAt = now;
    if (quorum === undefined) return this.#ahead;
    this.#ahead ??= quorum;
    this.#ahead += Math.min(most, Math.max(-most, quorum - this.#ahead));
    return this.#ahead;
  }

  #reached(): number | undefined {
    return reachedBy((ids) => isFullQuorum(this.#quorums, ids), this.#known());
  }

  #known(): ReadonlyMap<ReplicaId, number> {
    const now = this.#clock.monotonic();
    const known = new Map<ReplicaId, number>([[this.#self, this.#clock.wall() - now]]);
    for (const [id, { ahead, at }] of this.#samples) if (now - at <= FRESH_MS) known.set(id, ahead);
    return known;
  }
}
