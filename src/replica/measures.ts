import {
  DURATION_BOUNDS,
  Histogram,
  type HistogramReading,
  type MonotonicMs,
  readingBetween,
  type ReplicaId,
} from '../kernel/index.js';
import type { News, Reply } from '../machine/index.js';
import type { Leadership, StepDownCause } from '../paxos/index.js';
import type { Clock, Storage } from './ports.js';

type RebalanceRecord = Extract<News, { kind: 'rebalance-ended' }>['record'];
type RebalanceCause = RebalanceRecord['trigger']['cause'];
type LeaveCause = Extract<News, { kind: 'member-left' }>['cause'];
type RefusedWrite = 'version-conflict' | 'stale-epoch' | 'already-exists' | 'not-found';

/** Why a replica was elected: no leader was known yet, one handed over, its process had ended, or nothing was heard of it. */
export type ElectionCause = 'start' | 'hand-over' | 'leader-died' | 'leader-silent';

/** What this process has done since it started. Of groups and records only what it did as the leader. Seconds. */
export interface ReplicaMeasures {
  /** From a write that must be durable until it is. */
  readonly diskWrite: HistogramReading;
  /** The call of the operating system that makes it durable. */
  readonly fsync: HistogramReading;
  /** From a command until it is chosen and applied here. */
  readonly commit: HistogramReading;
  /** To apply what was chosen at once. */
  readonly apply: HistogramReading;
  /** From the call to stop until the assignment was handed out. */
  readonly rebalance: HistogramReading;
  /** Won by this replica. */
  readonly elections: Readonly<Record<ElectionCause, number>>;
  /** Of this replica, while it led a shard. */
  readonly stepDowns: Readonly<Record<StepDownCause, number>>;
  readonly rebalances: Readonly<Record<RebalanceCause, number>>;
  readonly departures: Readonly<Record<LeaveCause, number>>;
  readonly refusedWrites: Readonly<Record<RefusedWrite, number>>;
  /** Offsets past their retention that a leader had removed. */
  readonly expiredOffsets: number;
}

/** Milliseconds. */
const LATELY_MS = 30_000;

/** Numbers that are added to where things happen, and read when somebody asks. */
export class Measures {
  readonly #clock: Clock;
  readonly #diskWrite = new Histogram(DURATION_BOUNDS);
  readonly #commit = new Histogram(DURATION_BOUNDS);
  readonly #apply = new Histogram(DURATION_BOUNDS);
  readonly #rebalance = new Histogram(DURATION_BOUNDS);
  readonly #elections: Record<ElectionCause, number> = {
    start: 0,
    'hand-over': 0,
    'leader-died': 0,
    'leader-silent': 0,
  };
  readonly #stepDowns: Record<StepDownCause, number> = {
    'higher-ballot': 0,
    'no-quorum': 0,
    'handed-over': 0,
    'disk-stalls': 0,
    'next-configuration': 0,
  };
  readonly #rebalances: Record<RebalanceCause, number> = {
    'member-joined': 0,
    'member-left': 0,
    'session-expired': 0,
    'subscription-changed': 0,
    'leader-rejoined': 0,
    'static-replaced': 0,
    'sync-missed': 0,
  };
  readonly #departures: Record<LeaveCause, number> = {
    left: 0,
    'session-expired': 0,
    'missed-rebalance': 0,
    'missed-sync': 0,
    replaced: 0,
    removed: 0,
    unanswered: 0,
  };
  readonly #refusedWrites: Record<RefusedWrite, number> = {
    'version-conflict': 0,
    'stale-epoch': 0,
    'already-exists': 0,
    'not-found': 0,
  };

  #expiredOffsets = 0;
  #fsync: () => HistogramReading | undefined = () => undefined;

  /** Two readings, the older one of the half minute before. */
  #diskWriteBefore: readonly [HistogramReading, HistogramReading];
  #diskWriteReadAt: MonotonicMs;

  constructor(clock: Clock) {
    this.#clock = clock;
    const nothing = this.#diskWrite.read();
    this.#diskWriteBefore = [nothing, nothing];
    this.#diskWriteReadAt = clock.monotonic();
  }

  /** Once a second. */
  tick(now: MonotonicMs): void {
    if (now - this.#diskWriteReadAt < LATELY_MS) return;
    this.#diskWriteReadAt = now;
    this.#diskWriteBefore = [this.#diskWriteBefore[1], this.#diskWrite.read()];
  }
  /** Of the last half to whole minute. */
  diskWritesLately(): HistogramReading {
    return readingBetween(this.#diskWriteBefore[0], this.#diskWrite.read());
  }

  /** The same storage; how long its writes take is noted. */
  over(storage: Storage): Storage {
    this.#fsync = () => storage.writeSeconds?.();
    return {
      ...storage,
      append: (records, sync, done) => {
        if (!sync) return storage.append(records, false);
        const from = this.#clock.monotonic();
        storage.append(records, true, () => {
          this.#diskWrite.observe(this.#secondsSince(from));
          done?.();
        });
      },
    };
  }

  committed(submittedAt: number, reply: Reply): void {
    this.#commit.observe(this.#secondsSince(submittedAt));
    if (reply.kind === 'seal' && reply.outcome.kind === 'stale-epoch') this.#refusedWrites['stale-epoch']++;
    if (reply.kind !== 'records') return;
    for (const { kind } of reply.outcomes) if (isRefused(kind)) this.#refusedWrites[kind]++;
  }
  expired(offsets: number): void {
    this.#expiredOffsets += offsets;
  }
  applied(from: number): void {
    this.#apply.observe(this.#secondsSince(from));
  }
  elected(cause: ElectionCause): void {
    this.#elections[cause]++;
  }
  steppedDown(cause: StepDownCause): void {
    this.#stepDowns[cause]++;
  }
  /** As the leader tells it. */
  told(news: readonly News[]): void {
    for (const each of news) {
      if (each.kind === 'member-left') this.#departures[each.cause]++;
      if (each.kind === 'rebalance-ended') this.#rebalanced(each.record);
    }
  }

  #rebalanced({ trigger, startedAt, stableAt }: RebalanceRecord): void {
    this.#rebalances[trigger.cause]++;
    if (stableAt !== null) this.#rebalance.observe(Math.max(0, stableAt - startedAt) / 1_000);
  }
  #secondsSince(from: number): number {
    return (this.#clock.monotonic() - from) / 1_000;
  }

  read(): ReplicaMeasures {
    return {
      diskWrite: this.#diskWrite.read(),
      fsync: this.#fsync() ?? new Histogram(DURATION_BOUNDS).read(),
      commit: this.#commit.read(),
      apply: this.#apply.read(),
      rebalance: this.#rebalance.read(),
      elections: { ...this.#elections },
      stepDowns: { ...this.#stepDowns },
      rebalances: { ...this.#rebalances },
      departures: { ...this.#departures },
      refusedWrites: { ...this.#refusedWrites },
      expiredOffsets: this.#expiredOffsets,
    };
  }
}

const isRefused = (kind: string): kind is RefusedWrite =>
  kind === 'version-conflict' || kind === 'stale-epoch' || kind === 'already-exists' || kind === 'not-found';

/** Why this replica comes to lead a shard. */
export class ElectionWatch {
  #known = false;
  #last: 'hand-over' | 'leader-died' | undefined;

  handedOver(): void {
    this.#last = 'hand-over';
  }
  died(peer: ReplicaId, leader: ReplicaId | undefined): void {
    if (peer === leader) this.#last = 'leader-died';
  }
  /** Counted when this change makes it the leader. */
  changed(before: Leadership, after: Leadership, measures: Measures): void {
    const won = after.role === 'leader' && before.role !== 'leader';
    const cause = this.#last ?? (this.#known ? 'leader-silent' : 'start');
    if (after.leader !== undefined) {
      this.#known = true;
      this.#last = undefined;
    }
    if (won) measures.elected(cause);
  }
}
