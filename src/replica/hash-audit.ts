import { nextSlot, type ReplicaId, type Slot, slot } from '../kernel/index.js';
import type { Machine } from '../machine/index.js';
import { configurationOf, isFullQuorum, type PaxosOptions, type QuorumSystem } from '../paxos/index.js';
import { begunOf } from './apply-entry.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import type { Transport } from './ports.js';

const REMEMBERED = 8192;
const REPORT_EVERY = 512;

/** What a replica says that is the odd one out. */
export const DIVERGED =
  'This replica applied something else than the others: it stops rather than serve it. ' +
  'Move its data directory aside, keep it for a bug report, and bring the replica back empty.';

/** From where the machine stands. Who is right about the state is for the configuration of that slot to say. */
export function auditFrom(machine: Machine, { self, configuration }: PaxosOptions): HashAudit {
  const begun = begunOf(machine);
  const { quorums } = begun === undefined ? configuration : configurationOf(begun.configuration);
  return new HashAudit(self, quorums, machine.appliedThrough, machine.hash);
}

/**
 * Compares the rolling hash of the applied log between replicas of one shard. Everybody reports at the same slots (every
 * 512th, and where the log rests), so that votes about a slot can be counted: a replica that differs from what a quorum of
 * each kind agrees on has applied something else, and must stop. (Two accept quorums need not meet: each could stop the other.)
 */
export class HashAudit {
  readonly #self: ReplicaId;
  readonly #quorums: QuorumSystem;
  readonly #hashes = new Uint32Array(REMEMBERED);
  #from: Slot;
  #applied: Slot;
  #reported: Slot;
  #resting: Slot = slot(-1);
  readonly #votes = new Map<Slot, Map<ReplicaId, number>>();
  readonly #told = new Set<ReplicaId>();

  constructor(self: ReplicaId, quorums: QuorumSystem, applied: Slot, hash: number) {
    this.#self = self;
    this.#quorums = quorums;
    this.#applied = applied;
    this.#reported = applied;
    this.#from = applied;
    this.#hashes[applied % REMEMBERED] = hash;
  }

  /** A slot was applied here. Returns true when its hash should be told to the peers now. */
  applied(at: Slot, hash: number): boolean {
    this.#applied = at;
    this.#hashes[at % REMEMBERED] = hash;
    if (at - this.#from >= REMEMBERED) this.#from = slot(at - REMEMBERED + 1);
    if (at % REPORT_EVERY !== 0) return false;
    this.#reported = at;
    return true;
  }

  /** Called at intervals: a slot to report because the log rests there, or undefined. */
  resting(): { readonly slot: Slot; readonly hash: number } | undefined {
    const rests = this.#resting === this.#applied && this.#reported !== this.#applied;
    this.#resting = this.#applied;
    if (!rests) return undefined;
    this.#reported = this.#applied;
    return { slot: this.#applied, hash: this.hashAt(this.#applied)! };
  }

  hashAt(at: Slot): number | undefined {
    return at >= this.#from && at <= this.#applied ? this.#hashes[at % REMEMBERED] : undefined;
  }

  /** A peer's hash. Returns the reason to stop, when this replica is the odd one out. */
  heard(from: ReplicaId, at: Slot, hash: number): string | undefined {
    let votes = this.#votes.get(at);
    if (votes === undefined) {
      this.#votes.set(at, (votes = new Map<ReplicaId, number>()));
      for (const old of this.#votes.keys()) {
        if (this.#votes.size <= 64) break;
        this.#votes.delete(old);
      }
    }
    votes.set(from, hash);
    return this.judge();
  }

  /** Compares what was heard with what was applied since. */
  judge(): string | undefined {
    for (const [at, votes] of this.#votes) {
      const own = this.hashAt(at);
      if (own === undefined) {
        if (at < this.#from) this.#votes.delete(at);
        continue;
      }
      votes.set(this.#self, own);
      for (const hash of new Set(votes.values())) {
        const agreed = new Set([...votes].filter(([, vote]) => vote === hash).map(([id]) => id));
        if (hash !== own && isFullQuorum(this.#quorums, agreed)) {
          return `the state after slot ${at} has hash ${hex(own)} here and ${hex(hash)} on replicas ${[...agreed].join(', ')}`;
        }
      }
      if (votes.size > 1 && at < nextSlot(this.#applied)) this.#forgetSettled(at, votes);
    }
    return undefined;
  }

  /**
   * Which peers have another hash than this replica, while no quorum agrees on one: with too few replicas up nobody
   * can tell who is right. Each peer is named once.
   */
  difference(): string | undefined {
    for (const [at, votes] of this.#votes) {
      const own = this.hashAt(at);
      if (own === undefined) continue;
      for (const [peer, hash] of votes) {
        if (hash === own || this.#told.has(peer)) continue;
        this.#told.add(peer);
        return `the state after slot ${at} has hash ${hex(own)} on replica ${this.#self} and ${hex(hash)} on replica ${peer}`;
      }
    }
    return undefined;
  }

  #forgetSettled(at: Slot, votes: ReadonlyMap<ReplicaId, number>): void {
    if (isFullQuorum(this.#quorums, new Set(votes.keys())) && new Set(votes.values()).size === 1)
      this.#votes.delete(at);
  }
}

/** Tells the peers what the state of a shard is after a slot. */
export function tellHash(
  transport: Transport,
  peers: Iterable<ReplicaId>,
  hash: Omit<Extract<PeerFrame, { kind: 'audit' }>, 'kind'>,
): void {
  const frame = encodeFrame({ kind: 'audit', ...hash });
  for (const peer of peers) transport.send(peer, frame, 'droppable');
}

const hex = (hash: number): string => hash.toString(16).padStart(8, '0');
