import type { ReplicaId, ShardId } from '../kernel/index.js';
import { type Ballot, formatBallot, type Message, type QuorumSystem } from '../paxos/index.js';
import { decodeFrame } from '../replica/index.js';
import type { History } from './history.js';
import type { VirtualTime } from './virtual-time.js';

/** Ballots of two configurations have nothing to do with each other. */
interface OfTerm {
  readonly configuration: number;
  readonly ballot: Ballot;
}

/** What the peers of one leader have told it in its ballot. */
interface Term {
  /** It has led: what is chosen from then on it has counted itself. */
  leads: boolean;
  readonly promised: Set<ReplicaId>;
  /** Through which slot each has accepted. */
  readonly accepted: Map<ReplicaId, number>;
  /** When each last followed a heartbeat. */
  readonly followed: Map<ReplicaId, number>;
}

/**
 * Counts again what leaders count: from the messages that reached them, by the quorums of the world. A quorum that is too
 * small, or of the wrong kind, shows at once, and not only when two of them do not meet.
 */
export class QuorumWatch {
  readonly #quorums: QuorumSystem;
  readonly #time: VirtualTime;
  readonly #history: History;
  readonly #terms = new Map<string, Term>();
  /** Of each shard: through which slot anybody was known to know what is chosen. */
  readonly #chosen = new Map<ShardId, number>();

  constructor(quorums: QuorumSystem, time: VirtualTime, history: History) {
    this.#quorums = quorums;
    this.#time = time;
    this.#history = history;
  }

  #term(shard: ShardId, { configuration, ballot }: OfTerm): Term {
    const key = `${shard}/${configuration}/${formatBallot(ballot)}`;
    const found = this.#terms.get(key);
    if (found !== undefined) return found;
    const term = { leads: false, promised: new Set<ReplicaId>(), accepted: new Map(), followed: new Map() };
    this.#terms.set(key, term);
    return term;
  }

  /** A message leaves a replica. */
  sent(from: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    // Who takes a snapshot knows what its sender has applied, and what is cut off has been chosen.
    if (frame.kind === 'snapshotChunk') this.#known(frame.shard, frame.through);
    if (frame.kind === 'snapshotOffer') this.#known(frame.shard, frame.logBegins - 1);
    for (const { shard, message } of messagesOf(frame)) {
      if (leadsWith(from, message)) this.#leads(shard, from, message);
      if ('chosenThrough' in message) this.#known(shard, message.chosenThrough);
    }
  }
  #known(shard: ShardId, through: number): void {
    this.#chosen.set(shard, Math.max(through, this.#chosen.get(shard) ?? 0));
  }

  #leads(shard: ShardId, leader: ReplicaId, message: OfLeader): void {
    const { ballot, chosenThrough } = message;
    const term = this.#term(shard, message);
    const where = { at: this.#time.now, shard, leader, ballot: formatBallot(ballot) };
    if (!term.leads) {
      term.leads = true;
      const promised = new Set([leader, ...term.promised]);
      if (!this.#quorums.isPrepareQuorum(promised))
        this.#history.quorums.push({ ...where, what: 'leads', with: [...promised] });
      return;
    }
    if (chosenThrough <= (this.#chosen.get(shard) ?? 0)) return;
    const accepted = [...term.accepted].filter(([, through]) => through >= chosenThrough);
    const ids = new Set([leader, ...accepted.map(([id]) => id)]);
    if (!this.#quorums.isAcceptQuorum(ids))
      this.#history.quorums.push({
        ...where,
        what: `takes slot ${chosenThrough} for chosen`,
        with: [...ids],
      });
  }

  /** A message reaches a replica. */
  heard(from: ReplicaId, to: ReplicaId, bytes: Uint8Array): void {
    for (const { shard, message } of messagesOf(decodeFrame(bytes))) {
      if (!('ballot' in message) || message.ballot.replica !== to) continue;
      const term = (): Term => this.#term(shard, message);
      if (message.kind === 'promise' && message.last) term().promised.add(from);
      else if (message.kind === 'accepted' && !message.gap && message.votes)
        accepts(term(), from, message.through);
      else if (message.kind === 'heartbeatReply' && message.votes) {
        if (message.follows) term().followed.set(from, this.#time.now);
        // What it has accepted it has, whether it would do so again or not.
        accepts(term(), from, message.matched);
      }
    }
  }

  /** A leader holds a lease of `leaseMs` at the most. */
  leaseHolds(shard: ShardId, leader: ReplicaId, of: OfTerm, leaseMs: number): void {
    const at = this.#time.now;
    const recent = [...this.#term(shard, of).followed].filter(([, heardAt]) => heardAt >= at - leaseMs);
    const ids = new Set([leader, ...recent.map(([id]) => id)]);
    if (!this.#quorums.isAcceptQuorum(ids))
      this.#history.quorums.push({
        ...{ at, shard, leader, ballot: formatBallot(of.ballot) },
        ...{ what: 'holds a lease', with: [...ids] },
      });
  }
}

function accepts({ accepted }: Term, from: ReplicaId, through: number): void {
  accepted.set(from, Math.max(through, accepted.get(from) ?? 0));
}

type Frame = ReturnType<typeof decodeFrame>;
type OfLeader = Extract<Message, { kind: 'accept' | 'heartbeat' }>;

const leadsWith = (from: ReplicaId, message: Message): message is OfLeader =>
  (message.kind === 'accept' || (message.kind === 'heartbeat' && message.leads)) &&
  message.ballot.replica === from;

function messagesOf(frame: Frame): readonly { readonly shard: ShardId; readonly message: Message }[] {
  return frame.kind === 'paxos' ? frame.messages : [];
}
