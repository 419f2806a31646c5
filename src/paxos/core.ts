import { assert, assertNever, type MonotonicMs, nextSlot, type ReplicaId, slot } from '../kernel/index.js';
import { noteDurable, onAccept, onPrepare } from './acceptor.js';
import {
  onPromise,
  onRejectedWhileCampaigning,
  onTakeOver,
  ownPromiseDurable,
  tickCandidate,
} from './candidate.js';
import {
  onHeartbeat,
  onHeartbeatReply,
  onHeartbeatReplyWhileLeading,
  onRejected,
  onRejectedWhileLeading,
  peerDied,
  peerUp,
  stalled,
  tickFollower,
} from './election.js';
import { beginTransfer } from './handover.js';
import { applied, maybeChoose, onAccepted, propose, reconfigure, tickLeader } from './leader.js';
import { checkPositions, checkState } from './invariants.js';
import { announceChosen, installed, onCatchUp, onChosenEntries, trim } from './learner.js';
import type { Message, Received } from './messages.js';
import { beginRound, leaseHolds, read } from './reads.js';
import { noteEnded, passSeal, refuseEnded } from './reconfiguration.js';
import type { Role, RoleOf } from './role.js';
import { State } from './state.js';
import type {
  Effect,
  HardRecord,
  Input,
  Paxos,
  PaxosOptions,
  PaxosStatus,
  PersistId,
  Recovered,
} from './types.js';

export function createPaxos(options: PaxosOptions, recovered: Recovered, now: MonotonicMs): Paxos {
  return paxosOver(new State(options, recovered, now));
}

/** The core of a state that the caller looks into: for the models, which compare states. */
export function paxosOver(state: State): Paxos {
  return new Core(state);
}

/**
 * Multi-Paxos for one shard on one replica, as a function of inputs and time. Acceptor, learner, candidate and leader
 * share one log: a replica accepts values only in the order of the slots, so what it has of a ballot is one number.
 * This file names the handler of every input, message and tick. The roles are functions over the state, in files of their own.
 */
class Core implements Paxos {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  step(input: Input, now: MonotonicMs): Effect[] {
    const s = this.#state;
    s.effects = [];
    if (s.unrecorded) recordConfiguration(s);
    // Slots that the disk already calls chosen are announced first, unless the machine jumps over them to a snapshot.
    if (input.kind !== 'snapshotInstalled') announceChosen(s);
    handle(s, input, now);
    passSeal(s, now);
    checkPositions(s);
    return s.effects;
  }

  checkInvariants(): void {
    checkState(this.#state);
  }

  leaseHolds(now: MonotonicMs): boolean {
    return leaseHolds(this.#state, now);
  }

  hardState(): readonly HardRecord[] {
    const { hard, options, chosenThrough, begun, since } = this.#state;
    const { promised, log } = hard;
    const trimmed = slot(log.firstSlot - 1);
    const before = log.records(log.firstSlot, since, options.chunkBytesMax);
    const behind = log.records(nextSlot(since), log.lastSlot, options.chunkBytesMax);
    // In the order in which they arose: a promise stands behind the seal of its configuration.
    return [
      ...(trimmed > 0 ? [{ kind: 'snapshot', through: trimmed } as const] : []),
      ...(begun !== undefined && since <= trimmed ? [{ kind: 'configuration', ...begun } as const] : []),
      ...before,
      { kind: 'promised', ballot: promised },
      ...behind,
      { kind: 'chosen', through: chosenThrough },
    ];
  }

  status(now: MonotonicMs): PaxosStatus {
    const s = this.#state;
    const leader = s.role.kind === 'leader' ? s.role : undefined;
    return {
      self: s.options.self,
      leadership: s.leadership(),
      configuration: s.configuration,
      since: s.since,
      votes: s.member,
      promised: s.hard.promised,
      firstSlot: s.hard.log.firstSlot,
      lastSlot: s.hard.log.lastSlot,
      logMemoryBytes: s.hard.log.bytes,
      chosenThrough: s.chosenThrough,
      appliedThrough: s.appliedThrough,
      queued: leader?.queue.length ?? 0,
      inFlight: leader?.ours.size ?? 0,
      leaseUntil: leader?.rounds.leaseUntil,
      peers: [...s.peers.values()].map(({ id, votes, matched, chosenThrough, heardAt }) => ({
        id,
        votes,
        matched,
        chosenThrough,
        heardMsAgo: heardAt === undefined ? undefined : now - heardAt,
      })),
      learners: [...s.outsiders.values()].map(({ id, chosenThrough, heardAt }) => ({
        ...{ id, chosenThrough },
        heardMsAgo: heardAt === undefined ? undefined : now - heardAt,
      })),
    };
  }
}

/** Only the snapshot said which configuration this is: no record may come before the one that says so too. */
function recordConfiguration(s: State): void {
  assert(s.begun !== undefined, 'a snapshot says which configuration began');
  s.unrecorded = false;
  s.write([{ kind: 'configuration', ...s.begun }]);
}

function handle(s: State, input: Input, now: MonotonicMs): void {
  switch (input.kind) {
    case 'message':
      return receive(s, input.from, input.message, now);
    case 'tick':
      s.diskStallsFrom = input.diskStalls === true ? (s.diskStallsFrom ?? now) : undefined;
      return tick(s, now, input.keepLeadership ?? false);
    case 'stalled':
      return stalled(s, input.ms, now);
    case 'peerDied':
      return peerDied(s, input.peer, now);
    case 'peerUp':
      return peerUp(s, input.peer, now);
    case 'propose':
      return propose(s, input.proposals, now);
    case 'reconfigure':
      return reconfigure(s, input.id, input.next, now);
    case 'persisted':
      return persisted(s, input.id, now);
    case 'applied':
      return applied(s, input.through);
    case 'read':
      return read(s, input.id, now);
    case 'transfer':
      if (s.role.kind === 'leader') beginTransfer(s, s.role, input.to, now);
      return;
    case 'snapshotTaken':
      return trim(s, input.through, input.keepFrom);
    case 'snapshotInstalled':
      return installed(s, input.through, input.begun, now);
    default:
      return assertNever(input);
  }
}

function persisted(s: State, id: PersistId, now: MonotonicMs): void {
  noteDurable(s, id);
  if (s.role.kind === 'candidate') ownPromiseDurable(s, s.role, now);
  if (s.role.kind === 'leader') maybeChoose(s, s.role, now);
}

/** Notes that the peer is alive, refuses what is of another configuration, and dispatches. */
function receive(s: State, from: ReplicaId, message: Message, now: MonotonicMs): void {
  const peer = s.sender(from, now);
  if (peer === undefined) return;
  const silentMs = peer.heardAt === undefined ? Infinity : now - peer.heardAt;
  if (peer.steadySince === undefined || silentMs > s.options.electionTimeoutMs) peer.steadySince = now;
  peer.heardAt = now;
  if (s.diskStallsFrom !== undefined && writes(message)) return;
  // What is chosen is so for everybody: it may be asked for and told across configurations.
  if (message.kind !== 'catchUp' && message.kind !== 'chosenEntries') {
    const { number } = s.configuration;
    if (message.configuration < number) return refuseEnded(s, peer, message);
    if (message.configuration > number) return noteEnded(s, peer, message, now);
    // Who is not in the configuration may only learn.
    if (!s.peers.has(from) && message.kind !== 'heartbeat') return;
  }
  const { role } = s;
  dispatch<Message['kind'], Role['kind']>(s, [message.kind, { peer, message, now }], [role.kind, role]);
}

/** What makes its receiver write. While the disk stalls such a message counts as lost: nothing may pile up behind it. */
const writes = ({ kind }: Message): boolean =>
  kind === 'prepare' || kind === 'accept' || kind === 'chosenEntries' || kind === 'takeOver';

type Handler<M extends Message['kind'], R extends Role['kind']> = (
  s: State,
  received: Received<M>,
  role: RoleOf<R>,
) => void;

type ByRole<M extends Message['kind']> = { readonly [R in Role['kind']]: Handler<M, R> | 'ignored' };
type Handlers = { readonly [M in Message['kind']]: ByRole<M> };

/** Who handles which message in which role. */
const HANDLERS: Handlers = {
  heartbeat: { follower: onHeartbeat, candidate: onHeartbeat, leader: onHeartbeat },
  heartbeatReply: {
    follower: onHeartbeatReply,
    candidate: onHeartbeatReply,
    leader: onHeartbeatReplyWhileLeading,
  },
  prepare: { follower: onPrepare, candidate: onPrepare, leader: onPrepare },
  promise: { follower: 'ignored', candidate: onPromise, leader: 'ignored' },
  accept: { follower: onAccept, candidate: onAccept, leader: onAccept },
  accepted: { follower: 'ignored', candidate: 'ignored', leader: onAccepted },
  rejected: {
    follower: onRejected,
    candidate: onRejectedWhileCampaigning,
    leader: onRejectedWhileLeading,
  },
  catchUp: { follower: onCatchUp, candidate: onCatchUp, leader: onCatchUp },
  chosenEntries: { follower: onChosenEntries, candidate: onChosenEntries, leader: 'ignored' },
  takeOver: { follower: onTakeOver, candidate: 'ignored', leader: 'ignored' },
  // Of our own configuration: we have passed the seal meanwhile.
  ended: { follower: 'ignored', candidate: 'ignored', leader: 'ignored' },
};

function dispatch<M extends Message['kind'], R extends Role['kind']>(
  s: State,
  [kind, received]: readonly [M, Received<M>],
  [roleKind, role]: readonly [R, RoleOf<R>],
): void {
  const byRole: ByRole<M> = HANDLERS[kind];
  const handler: Handler<M, R> | 'ignored' = byRole[roleKind];
  if (handler !== 'ignored') handler(s, received, role);
}

function tick(s: State, now: MonotonicMs, keepLeadership: boolean): void {
  if (now - s.roundAt >= s.options.heartbeatIntervalMs) beginRound(s, now);
  const { role } = s;
  switch (role.kind) {
    case 'leader':
      return tickLeader(s, role, now, keepLeadership);
    case 'candidate':
      return tickCandidate(s, role, now);
    case 'follower':
      return tickFollower(s, role, now);
    default:
      return assertNever(role);
  }
}
