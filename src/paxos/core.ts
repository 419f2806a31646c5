import { assertNever, type MonotonicMs, type ReplicaId } from '../kernel/index.js';
import { noteDurable, onAccept, onPrepare } from './acceptor.js';
import { onPromise, onTakeOver, ownPromiseDurable, tickCandidate } from './candidate.js';
import { onHeartbeat, onHeartbeatReply, onRejected, tickFollower } from './election.js';
import { beginTransfer } from './handover.js';
import { applied, maybeChoose, onAccepted, propose, tickLeader } from './leader.js';
import { announceChosen, installed, onCatchUp, onChosenEntries, trim } from './learner.js';
import type { Message } from './messages.js';
import { beginRound, leaseHolds, read } from './reads.js';
import { State } from './state.js';
import type { Effect, HardRecord, Input, Paxos, PaxosOptions, PaxosStatus, Recovered } from './types.js';

export function createPaxos(options: PaxosOptions, recovered: Recovered, now: MonotonicMs): Paxos {
  return new Core(options, recovered, now);
}

/**
 * Multi-Paxos for one shard on one replica, as a function of inputs and time. Acceptor, learner, candidate and leader
 * share one log: a replica accepts values only in the order of the slots, so what it has of a ballot is one number.
 * This file says who handles what; each role is a file of functions over the shared state.
 */
class Core implements Paxos {
  readonly #state: State;

  constructor(options: PaxosOptions, recovered: Recovered, now: MonotonicMs) {
    this.#state = new State(options, recovered, now);
  }

  step(input: Input, now: MonotonicMs): readonly Effect[] {
    const s = this.#state;
    s.effects = [];
    // What the disk said is chosen; a machine that jumps to a snapshot first must not be told of slots before it.
    if (input.kind !== 'snapshotInstalled') announceChosen(s);
    handle(s, input, now);
    return s.effects;
  }

  leaseHolds(now: MonotonicMs): boolean {
    return leaseHolds(this.#state, now);
  }

  hardState(): readonly HardRecord[] {
    const { promised, log, options, chosenThrough } = this.#state;
    return [
      { kind: 'promised', ballot: promised },
      ...log.records(log.firstSlot, options.chunkBytesMax),
      { kind: 'chosen', through: chosenThrough },
    ];
  }

  status(now: MonotonicMs): PaxosStatus {
    const s = this.#state;
    return {
      self: s.options.self,
      leadership: s.leadership(),
      promised: s.promised,
      firstSlot: s.log.firstSlot,
      lastSlot: s.log.lastSlot,
      chosenThrough: s.chosenThrough,
      appliedThrough: s.appliedThrough,
      queued: s.queue.length,
      inFlight: s.ours.size,
      leaseUntil: s.rounds.leaseUntil,
      peers: [...s.peers.values()].map(({ id, matched, chosenThrough, heardAt }) => ({
        id,
        matched,
        chosenThrough,
        heardMsAgo: heardAt === undefined ? undefined : now - heardAt,
      })),
    };
  }
}

function handle(s: State, input: Input, now: MonotonicMs): void {
  switch (input.kind) {
    case 'message':
      return receive(s, input.from, input.message, now);
    case 'tick':
      return tick(s, now);
    case 'propose':
      return propose(s, input.proposals, now);
    case 'persisted':
      noteDurable(s, input.id);
      ownPromiseDurable(s, now);
      if (s.role === 'leader') maybeChoose(s, now);
      return;
    case 'applied':
      return applied(s, input.through);
    case 'read':
      return read(s, input.id, now);
    case 'transfer':
      return beginTransfer(s, input.to, now);
    case 'snapshotTaken':
      return trim(s, input.through);
    case 'snapshotInstalled':
      return installed(s, input.through);
    default:
      return assertNever(input);
  }
}

/** Every message and who handles it; a sender outside the configuration or of an older one is ignored. */
function receive(s: State, from: ReplicaId, message: Message, now: MonotonicMs): void {
  const peer = s.peers.get(from);
  if (peer === undefined || message.configuration !== s.options.configuration.number) return;
  if (peer.heardAt === undefined || now - peer.heardAt > s.options.electionTimeoutMs) peer.steadySince = now;
  peer.heardAt = now;
  switch (message.kind) {
    case 'heartbeat':
      return onHeartbeat(s, peer, message, now);
    case 'heartbeatReply':
      return onHeartbeatReply(s, peer, message, now);
    case 'prepare':
      return onPrepare(s, peer, message, now);
    case 'promise':
      return onPromise(s, peer, message, now);
    case 'accept':
      return onAccept(s, peer, message, now);
    case 'accepted':
      return onAccepted(s, peer, message, now);
    case 'rejected':
      return onRejected(s, message, now);
    case 'catchUp':
      return onCatchUp(s, peer, message);
    case 'chosenEntries':
      return onChosenEntries(s, message);
    case 'takeOver':
      return onTakeOver(s, peer, message, now);
    default:
      return assertNever(message);
  }
}

function tick(s: State, now: MonotonicMs): void {
  if (now - s.roundAt >= s.options.heartbeatIntervalMs) beginRound(s, now);
  switch (s.role) {
    case 'leader':
      return tickLeader(s, now);
    case 'candidate':
      return tickCandidate(s, now);
    case 'follower':
      return tickFollower(s, now);
    default:
      return assertNever(s.role);
  }
}
