import { hostname } from 'node:os';
import { type Assignor, cooperativeSticky, range, roundRobin } from '../client/index.js';
import { addressOf } from '../kernel/index.js';
import type { Fence } from '../locking/index.js';
import type { Lease } from './types.js';

/** A store that is sealed with the token of each new lease; every store of `quorate/locking` is one. */
export interface SealableStore {
  /** Throws when a later owner has sealed. */
  seal(fence: Fence): Promise<unknown>;
  /** The token of the last seal; null: none is known. Where it is there, a seal that the store forgot is noticed. */
  fenceOf?(scope: string): Promise<bigint | null>;
}

const ASSIGNORS = {
  'cooperative-sticky': cooperativeSticky,
  range,
  roundrobin: roundRobin,
} as const satisfies Record<string, Assignor>;
export type AssignorName = keyof typeof ASSIGNORS;
export const assignorNamed = (name: AssignorName): Assignor => ASSIGNORS[name];

export interface WorkerOptions {
  /** host:port of some replicas (or brokers of Apache Kafka); the others are found through them. */
  readonly brokers: readonly string[];
  readonly group: string;
  readonly topics: readonly string[];
  /**
   * Called once for each lease. Works until `lease.signal` aborts, and settles. What it throws is reported, and it is called
   * again after a back-off. When it returns before, the partition is done for now: it stays owned, and nothing runs for it
   * until it is assigned again.
   */
  readonly onPartition: (lease: Lease) => Promise<void> | void;
  /** Sealed with the lease's token before `onPartition` runs. */
  readonly stores?: readonly SealableStore[];
  /** Milliseconds without an answer after which everything owned is lost. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** Milliseconds; a rebalance is noticed that late. Default 500, at most a third of the session. */
  readonly heartbeatIntervalMs?: number;
  /**
   * Where heartbeats run. `thread`: in a thread of their own, so that a blocked event loop loses nothing for up to
   * `loopBlockedMsMax`. Then the thread leaves the group: others take over at once, and not after a session. Default `main`.
   */
  readonly heartbeats?: 'main' | 'thread';
  /** Milliseconds; for `heartbeats: 'thread'`. Default 30,000, at most the rebalance timeout. */
  readonly loopBlockedMsMax?: number;
  /** Milliseconds for which the group waits for a member that has not stopped. Default 60,000. */
  readonly rebalanceTimeoutMs?: number;
  /** Milliseconds for which a handler may go on after `revoked`. Default 25,000; at most the rebalance timeout. */
  readonly drainMs?: number;
  /** All members of a group use the same. Default cooperative-sticky; with the others everything stops for each rebalance. */
  readonly assignor?: AssignorName;
  /** How many handlers run at the same time; further partitions wait, owned. Default: all. */
  readonly concurrency?: number;
  /** The name of a static member, which keeps its partitions through a restart; `hostname` takes that of the machine. */
  readonly instanceId?: string;
  /** Default: quorate-worker. */
  readonly clientId?: string;
  /** Topics that are missing are created with so many partitions. Default: they are an error. */
  readonly createTopics?: { readonly partitions: number };
  /** `start` rejects when the group could not be joined within this. Milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number;
  /** One request that the coordinator does not park. Milliseconds. Default: a third of the session, at most 5,000. */
  readonly requestTimeoutMs?: number;
  /** The pause before a handler that threw runs again; doubles up to 30 s. Milliseconds. Default 100. */
  readonly restartMs?: number;
  /** How often the one that assigns looks for new partitions of the topics. Milliseconds. Default 30,000. */
  readonly topicsRefreshMs?: number;
  /** How often the stores are asked whether they still know the seals. Milliseconds; 0: never. Default 30,000. */
  readonly sealCheckMs?: number;
  /** Signals of the process (SIGTERM) on which the worker drains, leaves, and lets the process end. Default: none. */
  readonly stopOn?: readonly NodeJS.Signals[];
}

export type CheckedOptions = Required<Omit<WorkerOptions, 'instanceId' | 'createTopics'>> & {
  readonly instanceId: string | null;
  readonly createTopics: { readonly partitions: number } | null;
};

/** The longest time for which Quorate holds a heartbeat, and of the session. Milliseconds. */
const HELD_MS_MAX = 3_000;
const HELD_OF_SESSION = 1 / 6;
/** Twice as long as a heartbeat may be held, and as any request. */
export function heartbeatTimeoutMs({ sessionTimeoutMs, requestTimeoutMs }: CheckedOptions): number {
  return Math.max(requestTimeoutMs, 2 * Math.min(HELD_MS_MAX, sessionTimeoutMs * HELD_OF_SESSION));
}

/** With all defaults. Throws TypeError that says what to give instead. */
export function checkedOptions(options: WorkerOptions): CheckedOptions {
  const { sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 60_000 } = options;
  const checked: CheckedOptions = {
    stores: [],
    heartbeatIntervalMs: Math.min(500, Math.floor(sessionTimeoutMs / 3)),
    heartbeats: 'main',
    loopBlockedMsMax: Math.min(30_000, rebalanceTimeoutMs),
    drainMs: Math.min(25_000, rebalanceTimeoutMs),
    assignor: 'cooperative-sticky',
    concurrency: Number.POSITIVE_INFINITY,
    clientId: 'quorate-worker',
    startTimeoutMs: 30_000,
    requestTimeoutMs: Math.min(5_000, Math.floor(sessionTimeoutMs / 3)),
    restartMs: 100,
    topicsRefreshMs: 30_000,
    sealCheckMs: 30_000,
    stopOn: [],
    ...options,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    instanceId: options.instanceId === 'hostname' ? hostname() : (options.instanceId ?? null),
    createTopics: options.createTopics ?? null,
  };
  for (const broker of checked.brokers) addressOf(broker);
  const must = (right: boolean, message: string): void => {
    if (!right) throw new TypeError(message);
  };
  must(checked.brokers.length > 0, 'brokers is empty: give at least one, e.g. 127.0.0.1:9092');
  must(checked.group !== '', 'group is empty: give the name that all workers of the fleet share');
  must(checked.topics.length > 0, 'topics is empty: give at least one');
  must(
    checked.drainMs <= rebalanceTimeoutMs,
    `drainMs is ${checked.drainMs} and rebalanceTimeoutMs ${rebalanceTimeoutMs}: the group does not wait longer than that, so lower the first or raise the second`,
  );
  must(
    checked.heartbeatIntervalMs * 3 <= sessionTimeoutMs,
    `heartbeatIntervalMs is ${checked.heartbeatIntervalMs} and sessionTimeoutMs ${sessionTimeoutMs}: an interval may be at most a third of the session`,
  );
  must(
    checked.loopBlockedMsMax >= 3 * checked.heartbeatIntervalMs &&
      checked.loopBlockedMsMax <= rebalanceTimeoutMs,
    `loopBlockedMsMax is ${checked.loopBlockedMsMax}: give at least three heartbeat intervals (${checked.heartbeatIntervalMs}), and at most rebalanceTimeoutMs (${rebalanceTimeoutMs}), since the group waits no longer`,
  );
  must(
    ['main', 'thread'].includes(checked.heartbeats),
    `heartbeats is ${checked.heartbeats}: give main or thread`,
  );
  must(checked.concurrency >= 1, `concurrency is ${checked.concurrency}: give 1 or more`);
  must(Object.hasOwn(ASSIGNORS, checked.assignor), `assignor is one of ${Object.keys(ASSIGNORS).join(', ')}`);
  return checked;
}
