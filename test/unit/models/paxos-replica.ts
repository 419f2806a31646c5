import { monotonicMs, NO_SLOT, type ReplicaId, replicaId, type Slot } from '../../../src/kernel/index.js';
import { type Ballot, BALLOT_ZERO, formatBallot, maxBallot } from '../../../src/paxos/ballot.js';
import { startCampaign } from '../../../src/paxos/candidate.js';
import { paxosOver } from '../../../src/paxos/core.js';
import { type AcceptedLog, replay } from '../../../src/paxos/log.js';
import { State } from '../../../src/paxos/state.js';
import { becomeFollower } from '../../../src/paxos/step-down.js';
import {
  type Configuration,
  type Effect,
  type Entry,
  type HardRecord,
  type Input,
  majority,
  type Message,
  type Paxos,
  type PaxosOptions,
  type PersistId,
  type Send,
} from '../../../src/paxos/index.js';
import { canonical } from './canonical.js';

export const REPLICAS: readonly ReplicaId[] = [1, 2, 3].map((id) => replicaId(id));
const NOW = monotonicMs(0);

/** What the model lets happen, each at any time and in any order. */
export interface Bounds {
  /** How often each replica may campaign. Replica 3 is an acceptor and learner only. */
  readonly campaigns: readonly number[];
  /** Commands that each replica may propose in its life as leader, behind the no-op of each of its ballots. */
  readonly proposals: readonly number[];
  readonly crashes: readonly number[];
  /** A write may be followed by others before it is durable. Otherwise it is durable, or lost with the process, at once. */
  readonly writesInFlight: number;
  /** Leaders send heartbeats, which also adopt ballots, tell what is chosen and make replicas catch up. */
  readonly heartbeats: boolean;
  /** The seals that each replica may propose, as leader of the first configuration. None when left out. */
  readonly seals?: readonly number[];
  /** Who is in the first configuration, and who in the one that a seal names. All, when left out. */
  readonly configurations?: readonly [readonly number[], readonly number[]];
  /** Who holds a higher promise says so. Without it old ballots die in silence, as if these answers were always lost. */
  readonly rejections: boolean;
}

/** A planted bug, to show that the model sees. */
export interface Plant {
  readonly name: string;
  input?(state: State, input: Input): Input;
  /** What a restart finds on disk. */
  recovered?(records: readonly HardRecord[]): readonly HardRecord[];
  /** Answers leave before what they promise is on disk. */
  readonly answersEarly?: boolean;
}

export type Action =
  | { readonly kind: 'campaign' }
  | { readonly kind: 'propose' }
  | { readonly kind: 'seal' }
  | { readonly kind: 'heartbeat' }
  /** The oldest outstanding writes, through the first that asks for a sync, are on disk. */
  | { readonly kind: 'written' }
  /** The process ends and starts again. Of its outstanding writes the first `kept` have reached the disk. */
  | { readonly kind: 'crash'; readonly kept: number }
  | { readonly kind: 'deliver'; readonly from: ReplicaId; readonly message: Message };

export interface Letter {
  readonly to: ReplicaId;
  readonly message: Message;
}

interface Write {
  readonly id: PersistId;
  readonly records: readonly HardRecord[];
  readonly sync: boolean;
  readonly then: readonly Send[];
}

export class ModelViolation extends Error {
  override readonly name = 'ModelViolation';
}

/** Time stands still in the model, and whatever depends on it may happen at any moment: none of this decides anything. */
const TIME = new Set([
  // The number of the configuration stands in what began it.
  ...['configuration', 'unrecorded'],
  ...['options', 'effects', 'random', 'round', 'roundAt', 'rounds', 'backOffUntil'],
  ...['leaderSilence', 'quorumSilence', 'leaderDiedAt', 'returnAfterMs', 'tookOverAt', 'load', 'roundWanted'],
  ...['leaseGrantUntil', 'leaseGrantBallot', 'askedCatchUpAt', 'startedAt', 'askedAt', 'since'],
  ...[
    'heardAt',
    'steadySince',
    'answeredAt',
    'content',
    'electable',
    'priority',
    'progressAt',
    'resends',
    'resentAt',
  ],
  // Chunks are as large as the log: nothing waits for room.
  'inFlightBytes',
]);
const NOTHING = new Set<string>();

/** The disk of a replica of the model: it never gets another. */
const incarnationOf = (id: ReplicaId): string => `disk of ${id}`;
const replicasIn = ({ configurations }: Bounds, number: 1 | 2): readonly ReplicaId[] =>
  configurations?.[number - 1]?.map((id) => replicaId(id)) ?? REPLICAS;
const nextOf = (bounds: Bounds): Configuration => ({
  number: 2,
  members: replicasIn(bounds, 2).map((id) => ({ id, incarnation: incarnationOf(id) })),
  quorums: { kind: 'majority' },
});

const optionsOf = (self: ReplicaId, replicas: readonly ReplicaId[]): PaxosOptions => ({
  self,
  configuration: { number: 1, replicas, quorums: majority(replicas) },
  incarnation: incarnationOf(self),
  priority: 0,
  votes: true,
  electionTimeoutMs: 1,
  // What is due once an interval is due at once: a gap is made good, and a lag asked for, whenever it is seen.
  heartbeatIntervalMs: 0,
  leaseMs: 0,
  clockDriftRatio: 0,
  windowEntriesMax: 64,
  windowBytesMax: 2 ** 20,
  queuedEntriesMax: 64,
  queuedBytesMax: 2 ** 20,
  chunkBytesMax: 2 ** 20,
  retainedEntries: 64,
  seed: 1,
});

/** One replica of the model: the production core, its disk, and all that it has ever sent. */
export class ModelReplica {
  #state: State;
  #core: Paxos;
  #disk: readonly HardRecord[] = [];
  #writes: Write[] = [];
  #campaigns = 0;
  #proposals = 0;
  #seals = 0;
  #crashes = 0;
  /** What the machine was told, in this life and all before: slot -> value. */
  readonly told: string[] = [];
  #sent: Letter[] = [];

  constructor(
    readonly id: ReplicaId,
    readonly bounds: Bounds,
    readonly plant: Plant | undefined,
  ) {
    this.#state = this.#started([]);
    this.#core = paxosOver(this.#state);
  }

  #started(records: readonly HardRecord[]): State {
    const options = optionsOf(this.id, replicasIn(this.bounds, 1));
    return new State(options, { records, snapshotThrough: NO_SLOT }, NOW);
  }

  /** What it may do by itself. */
  actions(): readonly Action[] {
    const { campaigns, proposals, seals, heartbeats } = this.bounds;
    const at = this.id - 1;
    const actions: Action[] = [];
    const { role, member, begun } = this.#state;
    const leads = role.kind === 'leader';
    if (member && this.#campaigns < campaigns[at]!) actions.push({ kind: 'campaign' });
    if (leads && role.serving && begun === undefined && this.#seals < (seals?.[at] ?? 0))
      actions.push({ kind: 'seal' });
    if (leads && this.#proposals < proposals[at]!) actions.push({ kind: 'propose' });
    if (leads && heartbeats) actions.push({ kind: 'heartbeat' });
    if (this.#writes.some(({ sync }) => sync)) actions.push({ kind: 'written' });
    if (this.crashesLeft)
      for (let kept = 0; kept <= this.#writes.length; kept++) actions.push({ kind: 'crash', kept });
    return actions;
  }

  /** False when the bounds do not let it happen now. Throws ModelViolation, and what the core itself finds broken. */
  act(action: Action): void {
    switch (action.kind) {
      case 'campaign':
        this.#campaigns++;
        this.#campaign();
        break;
      case 'propose':
        this.#proposals++;
        this.#step({
          kind: 'propose',
          proposals: [{ id: this.#proposals, payload: Buffer.from(`v${this.id}.${this.#proposals}`) }],
        });
        break;
      case 'seal':
        this.#seals++;
        this.#step({ kind: 'reconfigure', id: 1_000 + this.#seals, next: nextOf(this.bounds) });
        break;
      case 'heartbeat':
        this.#step({ kind: 'tick' });
        break;
      case 'written':
        this.#written();
        break;
      case 'crash':
        this.#crashes++;
        this.#restart(action.kept);
        break;
      case 'deliver':
        this.#step({ kind: 'message', from: action.from, message: action.message });
        break;
    }
    while (this.#writes.filter(({ sync }) => sync).length > this.bounds.writesInFlight) this.#written();
    this.#core.checkInvariants();
  }

  /** What it has sent since it was last asked. */
  takeSent(): readonly Letter[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  get configuration(): number {
    return this.#state.configuration.number;
  }

  /** No crash takes its promise in this configuration below this: what is of a lower ballot comes too late. */
  get floor(): Ballot {
    return this.#state.durablePromise;
  }

  get chosenThrough(): Slot {
    return this.#state.chosenThrough;
  }

  get crashesLeft(): boolean {
    return this.#crashes < this.bounds.crashes[this.id - 1]!;
  }

  /** Its whole state in one text; equal for replicas of one id that will behave alike. */
  digest(): string {
    const s = this.#state;
    const disk = replay(this.#disk, { through: NO_SLOT }, BALLOT_ZERO, maxBallot);
    // Who does not lead has no use for what it knew of its followers, nor for the ballots of others after its last campaign.
    const peers =
      s.role.kind === 'follower' ? [...s.peers.values()].map((peer) => peer.chosenThrough) : s.peers;
    const highestSeen = this.#campaigns < this.bounds.campaigns[this.id - 1]! ? s.highestSeen : '';
    const pending = [...s.pending.values()];
    const volatile = canonical({ ...s, hard: '', pending, peers, highestSeen }, TIME);
    const writes = canonical(
      this.#writes.map(({ records, then }) => [records, then]),
      NOTHING,
    );
    return [
      `${this.#campaigns} ${this.#proposals} ${this.#seals} ${this.#crashes}`,
      `${formatBallot(s.hard.promised)} ${logText(s.hard.log)} ${volatile}`,
      `${disk.begun?.since} ${formatBallot(disk.promised)} ${logText(disk.log)} ${disk.chosenThrough}`,
      writes,
      this.told.join(),
    ].join('\n');
  }

  #campaign(): void {
    const s = this.#state;
    s.effects = [];
    if (s.role.kind !== 'follower') becomeFollower(s, NOW, 'no-quorum');
    startCampaign(s, NOW, undefined);
    this.#perform(s.effects);
  }

  #step(input: Input): void {
    this.#perform(this.#core.step(this.plant?.input?.(this.#state, input) ?? input, NOW));
  }

  #perform(effects: readonly Effect[]): void {
    this.#nameNoops(effects);
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#send(effect);
          break;
        case 'persist':
          this.#writes.push(effect);
          if (this.plant?.answersEarly === true) effect.then.forEach((send) => this.#send(send));
          break;
        case 'chosen':
          this.#tell(effect);
          this.#step({ kind: 'applied', through: this.#state.announcedThrough });
          break;
        case 'fatal':
          throw new ModelViolation(effect.reason);
        default:
          break;
      }
    }
  }

  /** Each no-op gets the name of the ballot that made it, so that two of them are two values. */
  #nameNoops(effects: readonly Effect[]): void {
    const { hard, configuration } = this.#state;
    const of = `${configuration.number === 1 ? '' : `${configuration.number}:`}${formatBallot(hard.promised)}`;
    for (const effect of effects) {
      if (effect.kind !== 'persist') continue;
      for (const record of effect.records)
        if (record.kind === 'accepted')
          for (const entry of record.entries)
            if (entry.kind === 'noop' && !('of' in entry)) Object.assign(entry, { of });
    }
  }

  #send({ to, message }: Send): void {
    const beats = message.kind === 'heartbeat' || message.kind === 'heartbeatReply';
    if (beats && !this.bounds.heartbeats) return;
    if (message.kind === 'rejected' && !this.bounds.rejections) return;
    this.#sent.push({ to, message: timeless(message) });
  }

  #tell({ firstSlot, entries }: Extract<Effect, { kind: 'chosen' }>): void {
    entries.forEach((entry, i) => {
      const at = firstSlot + i;
      const value = entryText(entry);
      if (!/^(v[123]\.\d|noop (2:)?[\d.]+@[123]|seal)$/.test(value))
        throw new ModelViolation(
          `replica ${this.id} applies "${value}" in slot ${at}, which nobody proposed`,
        );
      const before = this.told[at];
      if (before !== undefined && before !== value)
        throw new ModelViolation(`replica ${this.id} applies "${value}" in slot ${at} after "${before}"`);
      this.told[at] = value;
    });
  }

  #written(): void {
    const through = this.#writes.findIndex(({ sync }) => sync);
    const done = this.#writes.splice(0, through + 1);
    this.#disk = [...this.#disk, ...done.flatMap(({ records }) => records)];
    const last = done.at(-1)!;
    if (this.plant?.answersEarly !== true) last.then.forEach((send) => this.#send(send));
    this.#step({ kind: 'persisted', id: last.id });
  }

  #restart(kept: number): void {
    const survive = this.#writes.slice(0, kept).flatMap(({ records }) => records);
    this.#disk = [...this.#disk, ...survive];
    this.#writes = [];
    const records = this.plant?.recovered?.(this.#disk) ?? this.#disk;
    this.#state = this.#started(records);
    this.#core = paxosOver(this.#state);
  }
}

/** Rounds count for leases and reads only; who is content, for who campaigns when. */
function timeless(message: Message): Message {
  if (message.kind === 'heartbeat') return { ...message, round: 0 };
  return message.kind === 'heartbeatReply' ? { ...message, round: 0, content: false } : message;
}

const entryText = (entry: Entry): string =>
  entry.kind === 'command'
    ? Buffer.from(entry.payload).toString()
    : entry.kind === 'seal'
      ? 'seal'
      : `noop ${(entry as { of?: string }).of ?? '?'}`;

function logText(log: AcceptedLog): string {
  let text = `${log.firstSlot}:`;
  for (const { ballot, entry } of log.slice(log.firstSlot, log.lastSlot, Infinity))
    text += `${formatBallot(ballot)} ${entryText(entry)};`;
  return text;
}
