import type { MonotonicMs, ReplicaId, ShardId, Slot, WallMs, Work } from '../kernel/index.js';
import type { Command, MachineOptions, News } from '../machine/index.js';
import type { Leadership, PaxosOptions, Send } from '../paxos/index.js';
import type { ApplyPace } from './apply-queue.js';
import type { Measures } from './measures.js';
import type { Clock, Storage } from './ports.js';

export interface ShardHostOptions extends MachineOptions, Pick<ApplyPace, 'turnMs'> {
  /** How many reads may wait for a quorum. */
  readonly readsMax?: number | undefined;
  readonly paxos: PaxosOptions;
}

/** What a shard needs from the replica that hosts it. */
export interface SurroundingsOf<Host> {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly work: Work;
  readonly measures: Measures;
  send(shard: ShardId, send: Send): void;
  /** Something is queued for the end of this turn. */
  touchTurn(host: Host): void;
  /** Calls `goOn` when others have had the loop. */
  later(goOn: () => void): void;
  /** What the clocks of the cluster agree on at `now` of the own clock; undefined while that is not known. */
  agreedTime(now: MonotonicMs): WallMs | undefined;
  /** Whether every replica could apply it. */
  allKnow(command: Command): boolean;
  applied(host: Host, news: readonly News[]): void;
  leadershipChanged(host: Host, before: Leadership, after: Leadership): void;
  snapshotNeeded(host: Host, to: ReplicaId): void;
  audit(host: Host, slot: Slot, hash: number): void;
  /** A peer holds another state, and it is open which of the two is right. */
  differs(reason: string): void;
  fatal(reason: string): void;
}
