import type { ReplicaId, ShardId } from '../kernel/index.js';
import {
  type Ballot,
  type Configuration,
  formatBallot,
  type Message,
  type QuorumSystem,
  quorumSystem,
} from '../paxos/index.js';
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
  readonly #founding: QuorumSystem;
  /** Of the configurations that came later. */
  readonly #later = new Map<
    string,
    { readonly quorums: QuorumSystem; readonly disks: ReadonlyMap<ReplicaId, string> }
  >();
  readonly #time: VirtualTime;
  readonly #history: History;
  readonly #terms = new Map<string, Term>();
  /** Of each shard: through which slot anybody was known to know what is chosen. */
  readonly #chosen = new Map<ShardId, number>();

  constructor(quorums: QuorumSystem, time: VirtualTime, history: History) {
    this.#founding = quorums;
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

  /** Undefined: of a seal that left no replica, which is chosen by its leader alone. */
  #quorums(shard: ShardId, configuration: number): QuorumSystem | undefined {
    return configuration === 1 ? this.#founding : this.#later.get(`${shard}/${configuration}`)?.quorums;
  }

  /** A seal leaves its leader: by a later one nothing is decided before. */
  #sealed(shard: ShardId, { members, quorums, number }: Configuration): void {
    const ids = members.map(({ id }) => id);
    const disks = new Map(members.map(({ id, incarnation }) => [id, incarnation]));
    this.#later.set(`${shard}/${number}`, { quorums: quorumSystem(quorums, ids), disks });
  }

  /** A message leaves a replica. */
  sent(from: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    // Who takes a snapshot knows what its sender has applied, and what is cut off has been chosen.
    if (frame.kind === 'snapshotChunk') this.#known(frame.shard, frame.through);
    if (frame.kind === 'snapshotOffer') this.#known(frame.shard, frame.logBegins - 1);
    for (const { shard, message } of messagesOf(frame)) {
      if (message.kind === 'accept')
        for (const entry of message.entries) if (entry.kind === 'seal') this.#sealed(shard, entry.next);
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
      if (this.#quorums(shard, message.configuration)?.isPrepareQuorum(promised) === false)
        this.#history.quorums.push({ ...where, what: 'leads', with: [...promised] });
      return;
    }
    if (chosenThrough <= (this.#chosen.get(shard) ?? 0)) return;
    const accepted = [...term.accepted].filter(([, through]) => through >= chosenThrough);
    const ids = new Set([leader, ...accepted.map(([id]) => id)]);
    if (this.#quorums(shard, message.configuration)?.isAcceptQuorum(ids) === false)
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

  /** What says that a vote is given in a configuration that does not name who says it, with that disk. */
  votesOutside(id: ReplicaId, incarnation: string | undefined, bytes: Uint8Array): string | undefined {
    for (const { shard, message } of messagesOf(decodeFrame(bytes))) {
      const votes = message.kind === 'promise' || ('votes' in message && message.votes);
      const later = votes ? this.#later.get(`${shard}/${message.configuration}`) : undefined;
      if (later !== undefined && later.disks.get(id) !== incarnation)
        return `replica ${id} votes (${message.kind}) in configuration ${message.configuration} of shard ${shard}, which does not name its disk`;
    }
    return undefined;
  }

  /** A leader holds a lease of `leaseMs` at the most. */
  leaseHolds(shard: ShardId, leader: ReplicaId, of: OfTerm, leaseMs: number): void {
    const at = this.#time.now;
    const recent = [...this.#term(shard, of).followed].filter(([, heardAt]) => heardAt >= at - leaseMs);
    const ids = new Set([leader, ...recent.map(([id]) => id)]);
    if (this.#quorums(shard, of.configuration)?.isAcceptQuorum(ids) === false)
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
