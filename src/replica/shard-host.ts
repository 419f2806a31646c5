import {
  assertNever,
  errorText,
  type GroupId,
  MalformedBytesError,
  type MemberId,
  type MonotonicMs,
  NO_SLOT,
  PartedBytes,
  type ReplicaId,
  type ShardId,
  type Slot,
  type Steps,
  type WallMs,
} from '../kernel/index.js';
import {
  type AppliedStep,
  type Command,
  createMachine,
  encodeCommand,
  type GroupCommand,
  type Machine,
  type Reply,
  restoringMachine,
} from '../machine/index.js';
import {
  type Configuration,
  createPaxos,
  type Effect,
  type Input,
  type Leadership,
  type Message,
  type Paxos,
  type PaxosStatus,
  type PersistId,
  type ProposalId,
  type Send,
} from '../paxos/index.js';
import { begunOf } from './apply-entry.js';
import { ApplyQueue } from './apply-queue.js';
import { type CommandTrace, CommandTraces } from './command-traces.js';
import type { Outcome, ReadOutcome, Refusal } from './coordinator.js';
import { type DueTimer, GroupTimers } from './group-timers.js';
import { auditFrom, DIVERGED, type HashAudit } from './hash-audit.js';
import { DEFAULT_LIMITS } from './limits.js';
import { ElectionWatch } from './measures.js';
import { ParkedReads } from './parked-reads.js';
import type { LogRecord } from './ports.js';
import { readRecords, ShardLog } from './shard-log.js';
import type { ShardHostOptions, SurroundingsOf } from './shard-surroundings.js';
import { ShardTime } from './shard-time.js';

export type ShardSurroundings = SurroundingsOf<ShardHost>;

/** What the disk holds of a shard at the start. Not kept: it may be large. */
interface FoundOnDisk {
  readonly records: readonly LogRecord[];
  /** From its snapshot. */
  readonly machine: Machine | undefined;
}

type ProposalDone = (outcome: Outcome<Reply>) => void;

/** How long to wait before a deadline that could not be proposed is tried again. Milliseconds. */
const EXPIRE_RETRY_MS = 100;

/**
 * One shard on this replica: feeds its Paxos core, performs the effects, applies what is chosen to its machine, and
 * keeps the soft state that a leader needs (deadlines, who waits for which answer).
 */
export class ShardHost {
  readonly shard: ShardId;
  readonly #options: ShardHostOptions;
  readonly #around: ShardSurroundings;
  readonly #log: ShardLog;
  readonly #paxos: Paxos;
  #machine: Machine;
  #audit: HashAudit;
  #leadership: Leadership;
  readonly #timers: GroupTimers;
  readonly #time: ShardTime;
  readonly #elections = new ElectionWatch();
  readonly #traces = new CommandTraces();
  readonly #proposed = new Map<ProposalId, { readonly done: ProposalDone; readonly at: MonotonicMs }>();
  readonly #reads: ParkedReads;
  #queued: { id: ProposalId; payload: Uint8Array }[] = [];
  #nextId = 1;
  /** Those that are performed, while some are. */
  #work: Effect[] | undefined;
  readonly #toApply: ApplyQueue;
  #broken = false;

  constructor(options: ShardHostOptions, found: FoundOnDisk, around: ShardSurroundings) {
    this.shard = options.shard;
    this.#options = options;
    this.#reads = new ParkedReads(options.readsMax ?? DEFAULT_LIMITS.readsHere);
    this.#around = around;
    const { shard } = options;
    this.#machine = found.machine ?? createMachine(options);
    const now = around.clock.monotonic();
    this.#timers = new GroupTimers(now);
    this.#time = new ShardTime(around.clock, (at) => around.agreedTime(at), this.#machine.clock);
    this.#audit = auditFrom(this.#machine, this.#options.paxos);
    const snapshotThrough = this.#machine.appliedThrough;
    const records = readRecords(found.records);
    this.#log = new ShardLog(shard, around.storage, records, snapshotThrough);
    this.#toApply = this.#queue();
    const begun = begunOf(this.#machine);
    this.#paxos = createPaxos(options.paxos, { records, snapshotThrough, begun }, now);
    this.#leadership = this.#paxos.status(now).leadership;
  }

  get machine(): Machine {
    return this.#machine;
  }
  get leadership(): Leadership {
    return this.#leadership;
  }
  leaseHolds(): boolean {
    return this.#leadership.serving && this.#paxos.leaseHolds(this.#around.clock.monotonic());
  }
  status(): PaxosStatus {
    return this.#paxos.status(this.#around.clock.monotonic());
  }
  /** Who waits for an answer. */
  get waiting(): { readonly proposals: number; readonly reads: number } {
    return { proposals: this.#proposed.size, reads: this.#reads.size };
  }
  /** What stands on a command that is proposed now. */
  stamp(): WallMs {
    return this.#time.stamp();
  }
  /** The first slot that the log still holds. */
  logBegins(): Slot {
    return this.status().firstSlot;
  }
  /** Through where a peer has it, as it said last, whether it votes or learns. */
  peerHas(peer: ReplicaId): Slot {
    const { peers, learners } = this.status();
    return [...peers, ...learners].find(({ id }) => id === peer)?.chosenThrough ?? NO_SLOT;
  }
  /** The records a restart needs for this shard, beside its snapshot: for rewriting them behind a log mark. */
  hardState(): readonly LogRecord[] {
    return this.#log.checked(this.#paxos.hardState());
  }

  submit(command: Command, done: ProposalDone, trace?: CommandTrace): void {
    if (!this.#leadership.serving) return done(this.#notLeader());
    if (!this.#around.allKnow(command) || this.#around.storage.room() !== 'enough')
      return done({ kind: 'overloaded' });
    const now = this.#around.clock.monotonic();
    const payload = encodeCommand({ at: this.#time.stamp(now), command });
    const id = this.#nextId++;
    this.#proposed.set(id, { done, at: now });
    if (trace !== undefined) this.#traces.begin(id, payload, trace);
    this.#queued.push({ id, payload });
    this.#around.touchTurn(this);
  }

  /** Proposes what gathered over the turn, as one batch. */
  endTurn(): void {
    if (this.#queued.length === 0) return;
    const proposals = this.#queued;
    this.#queued = [];
    this.#traces.proposed(proposals);
    this.step({ kind: 'propose', proposals });
  }

  read(done: (outcome: ReadOutcome) => void): void {
    if (!this.#leadership.serving) return done(this.#notLeader());
    // Another replica may have applied, and shown, what is chosen and not yet applied here.
    if (this.leaseHolds()) return this.#toApply.afterwards(() => done(this.#view()));
    const id = this.#nextId++;
    if (this.#reads.park(id, done)) this.step({ kind: 'read', id });
  }

  #view(): ReadOutcome {
    return { kind: 'ok', view: this.#machine };
  }

  /** Ends the configuration behind what was proposed so far. Whether it did is seen in the status: nobody is told. */
  reconfigure(next: Configuration): void {
    this.step({ kind: 'reconfigure', id: this.#nextId++, next });
  }

  peerDied(peer: ReplicaId): void {
    this.#elections.died(peer, this.#leadership.leader);
    this.step({ kind: 'peerDied', peer });
  }
  receive(from: ReplicaId, message: Message): void {
    if (message.kind === 'takeOver') this.#elections.handedOver();
    this.step({ kind: 'message', from, message });
  }

  tick({ keepLeadership = false, diskStalls = false } = {}): void {
    this.step({ kind: 'tick', keepLeadership, diskStalls });
    const now = this.#around.clock.monotonic();
    for (const due of this.#timers.due(now))
      if (!this.#timers.endsInParts(due, this.#machine, now)) this.#expire(due);
  }

  endSession(group: GroupId, member: MemberId): void {
    this.#timers.endSession(group, member, this.#around.clock.monotonic());
  }
  heard(group: GroupId, member: MemberId): boolean {
    return this.#timers.heard(group, member);
  }
  touch(group: GroupId, member: MemberId, by?: 'commit'): void {
    this.#timers.touch(group, member, this.#around.clock.monotonic(), by);
  }

  /** The machine that a snapshot of a peer holds, in steps. Throws MalformedBytesError. */
  *restoring(snapshot: Uint8Array, through: Slot): Steps<Machine> {
    const machine = yield* restoringMachine(this.#options, PartedBytes.whole(snapshot));
    if (machine.appliedThrough !== through)
      throw new MalformedBytesError(`the state at slot ${machine.appliedThrough}, announced as ${through}`);
    return machine;
  }

  /** Applies all that is chosen, in this turn. */
  finishApplying(): void {
    this.#carefully(() => this.#toApply.finish(), undefined);
  }

  /** A machine from a snapshot that is durable here by now: jumps to it. False when it is older than what we have. */
  install(machine: Machine): boolean {
    this.finishApplying();
    if (machine.appliedThrough <= this.#machine.appliedThrough) return false;
    this.#machine = machine;
    this.#time.reached(machine.clock);
    this.#audit = auditFrom(machine, this.#options.paxos);
    this.step({ kind: 'snapshotInstalled', through: machine.appliedThrough, begun: begunOf(machine) });
    return true;
  }

  hashHeard(from: ReplicaId, at: Slot, hash: number): void {
    const problem = this.#audit.heard(from, at, hash);
    if (problem !== undefined) this.#diverged(problem);
  }
  /** Called about once a second: reports the hash of a log that rests. */
  auditResting(): void {
    const report = this.#audit.resting();
    if (report !== undefined) this.#around.audit(this, report.slot, report.hash);
    const problem = this.#audit.judge();
    if (problem !== undefined) return this.#diverged(problem);
    const difference = this.#audit.difference();
    if (difference !== undefined) this.#around.differs(`shard ${this.shard}: ${difference}`);
  }

  /**
   * Never throws. A step that cannot be finished has changed the core's state without the effects that belong to it (a
   * vote without its record, say): the shard does nothing any more, and the replica stops.
   */
  step(input: Input): void {
    this.#carefully(this.#step, input);
  }
  /** `about` is handed on: steps are too many for a closure each. */
  #carefully<A>(action: (about: A) => void, about: A): void {
    if (this.#broken) return;
    try {
      action(about);
    } catch (error) {
      this.#broken = true;
      this.#around.fatal(`shard ${this.shard}: ${errorText(error)}`);
    }
  }

  readonly #step = (input: Input): void => {
    const effects = this.#paxos.step(input, this.#around.clock.monotonic());
    if (this.#work !== undefined) {
      for (const effect of effects) this.#work.push(effect);
      return;
    }
    // Effects in order; those that an effect leads to come after the ones already waiting.
    this.#work = effects;
    for (let i = 0; i < effects.length && !this.#broken; i++) this.#perform(effects[i]!);
    this.#work = undefined;
  };

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.#around.send(this.shard, effect);
      case 'persist':
        return this.#persist(effect);
      case 'chosen':
        this.#traces.chosen(effect.proposals);
        return this.#toApply.chosen(effect);
      case 'proposalsFailed': {
        const { reason } = effect;
        const refusal: Refusal =
          reason === 'not-leader' || reason === 'not-next' ? this.#notLeader() : { kind: reason };
        for (const id of effect.ids) this.#settle(id, refusal);
        return;
      }
      case 'readReady':
        return this.#toApply.afterwards(() => this.#reads.end(effect.ids, this.#view()));
      case 'readsFailed':
        return this.#reads.end(effect.ids, this.#notLeader());
      case 'leadership':
        if (effect.steppedDown !== undefined) this.#around.measures.steppedDown(effect.steppedDown);
        return this.#leadershipChanged(effect.leadership);
      case 'snapshotNeeded':
        return this.#around.snapshotNeeded(this, effect.to);
      case 'fatal':
        return this.#around.fatal(`shard ${this.shard}: ${effect.reason}`);
      default:
        return assertNever(effect);
    }
  }

  #persist(effect: Extract<Effect, { kind: 'persist' }>): void {
    if (!effect.sync) return this.#log.append(effect.records, false);
    this.#traces.writing(effect.id, effect.records);
    this.#log.append(effect.records, true, () => this.#persisted(effect.id, effect.then));
  }

  #persisted(id: PersistId, then: readonly Send[]): void {
    for (const send of then) this.#around.send(this.shard, send);
    this.#traces.durable(id);
    this.step({ kind: 'persisted', id });
    this.#around.touchTurn(this);
  }

  #queue(): ApplyQueue {
    const { clock, measures, work } = this.#around;
    return new ApplyQueue({
      ...{ clock, turnMs: this.#options.turnMs },
      machine: () => this.#machine,
      begun: (begun, proposal) => this.#outcome(begun, begun.reply, proposal),
      caused: (step) => this.#outcome(step),
      applied: (at, entry) => {
        if (entry.kind === 'seal') this.#audit = auditFrom(this.#machine, this.#options.paxos);
        if (this.#audit.applied(at, this.#machine.hash)) this.#around.audit(this, at, this.#machine.hash);
      },
      turn: (action, from) => {
        work('apply', action);
        this.#time.reached(this.#machine.clock);
        measures.applied(from);
        this.step({ kind: 'applied', through: this.#machine.appliedThrough });
      },
      later: () => this.#around.later(() => this.#carefully(() => this.#toApply.goOn(), undefined)),
    });
  }

  /** The reply is that to a proposal of this replica, if it is one. */
  #outcome({ news, timers }: AppliedStep, reply?: Reply, proposal?: ProposalId): void {
    if (this.#leadership.serving && timers.length > 0) {
      const now = this.#around.clock.monotonic();
      for (const change of timers) this.#timers.change(change, { now, heard: true });
    }
    if (this.#leadership.serving) this.#timers.told(news, this.#machine);
    // The reply first: a parked request must be known before news releases it.
    if (proposal !== undefined && reply !== undefined) this.#settle(proposal, { kind: 'ok', reply });
    if (news.length > 0) this.#around.applied(this, news);
  }

  #settle(id: ProposalId, outcome: Outcome<Reply>): void {
    const proposed = this.#proposed.get(id);
    if (proposed === undefined) return;
    this.#proposed.delete(id);
    this.#traces.ended(id, outcome.kind === 'ok');
    if (outcome.kind === 'ok') this.#around.measures.committed(proposed.at, outcome.reply);
    proposed.done(outcome);
  }

  #leadershipChanged(after: Leadership): void {
    const before = this.#leadership;
    // Who is told to wait by a command that was chosen must be known when all that wait are sent elsewhere.
    if (before.serving && !after.serving) this.#toApply.finish();
    this.#leadership = after;
    this.#elections.changed(before, after, this.#around.measures);
    if (after.serving !== before.serving) {
      if (after.serving) this.#timers.takeOver(this.#machine, this.#around.clock.monotonic());
      else this.#timers.clear();
    }
    this.#around.leadershipChanged(this, before, after);
  }

  #expire(due: DueTimer): void {
    const { group, timer, token } = due;
    const command: GroupCommand = { kind: 'group.expire', group, timer, token };
    this.submit(command, (outcome) => {
      if (outcome.kind !== 'overloaded') return;
      this.#timers.again(due, EXPIRE_RETRY_MS, this.#around.clock.monotonic());
    });
  }

  #notLeader(): Refusal {
    const { leader, serving } = this.#leadership;
    return { kind: 'not-leader', leader: serving ? undefined : leader };
  }

  #diverged(problem: string): void {
    this.#around.fatal(`shard ${this.shard}: ${problem}. ${DIVERGED}`);
  }
}
