import { type MonotonicMs, monotonicMs, type ReplicaId } from '../kernel/index.js';
import type { QuorumSystem } from './quorum.js';
import type { ReadId } from './types.js';

interface Round {
  readonly number: number;
  readonly sentAt: MonotonicMs;
  readonly acknowledged: Set<ReplicaId>;
}

/**
 * Heartbeat rounds of a leader. A round that an accept quorum answered proves two things as of the moment it was *sent*:
 * nobody else led then (read-index), and nobody will for a lease from then on, less what clocks may differ by.
 */
export class Rounds {
  readonly #self: ReplicaId;
  readonly #quorums: QuorumSystem;
  readonly #leaseMs: number;
  #open: Round[] = [];
  #waiting: { id: ReadId; round: number }[] = [];
  /** Reads up to here in time need nobody's consent. */
  leaseUntil: MonotonicMs | undefined;
  /** When the newest confirmed round was sent. */
  confirmedAt: MonotonicMs | undefined;
  #confirmed = 0;

  constructor(self: ReplicaId, quorums: QuorumSystem, leaseMs: number, clockDriftRatio: number) {
    this.#self = self;
    this.#quorums = quorums;
    this.#leaseMs = leaseMs * (1 - clockDriftRatio);
  }

  /** Ids of the reads that are confirmed by this round being sent alone (a cluster of one). */
  begin(number: number, now: MonotonicMs): readonly ReadId[] {
    this.#open.push({ number, sentAt: now, acknowledged: new Set([this.#self]) });
    if (this.#open.length > 64) this.#open.shift();
    return this.#settle();
  }

  /** A peer follows us as of this round. Returns the reads that are confirmed now. */
  acknowledge(from: ReplicaId, number: number): readonly ReadId[] {
    const round = this.#open.find((open) => open.number === number);
    if (round === undefined) return [];
    round.acknowledged.add(from);
    return this.#settle();
  }

  /** A read that any round from this one on may confirm. */
  await(id: ReadId, round: number): void {
    this.#waiting.push({ id, round });
  }

  /** No quorum has answered this round yet, or it was never sent. */
  isOpen(round: number): boolean {
    return round > this.#confirmed;
  }

  abandon(): readonly ReadId[] {
    const ids = this.#waiting.map(({ id }) => id);
    this.#waiting = [];
    this.#open = [];
    this.leaseUntil = undefined;
    this.confirmedAt = undefined;
    return ids;
  }

  #settle(): readonly ReadId[] {
    let confirmed: Round | undefined;
    for (const round of this.#open) if (this.#quorums.isAcceptQuorum(round.acknowledged)) confirmed = round;
    if (confirmed === undefined) return [];
    const { number, sentAt } = confirmed;
    this.#open = this.#open.filter((round) => round.number > number);
    this.confirmedAt = sentAt;
    this.#confirmed = number;
    this.leaseUntil = monotonicMs(sentAt + this.#leaseMs);
    const ready = this.#waiting.filter(({ round }) => round <= number).map(({ id }) => id);
    if (ready.length > 0) this.#waiting = this.#waiting.filter(({ round }) => round > number);
    return ready;
  }
}
