import { type MonotonicMs, monotonicMs } from '../kernel/index.js';
import type { ShardHost } from './shard-host.js';

/** Leadership returns one shard at a time, so far apart ... Milliseconds. */
const RETURN_EVERY_MS = 1_000;
/** ... and not soon after this process was stalled. Milliseconds. */
const STALL_BACK_OFF_MS = 10_000;

/** How well this process keeps pace with time. */
export class Pace {
  /** How often the replica ticks: twice a heartbeat. Milliseconds. */
  readonly tickMs: number;
  #tickedAt: MonotonicMs;
  #stalledAt: MonotonicMs | undefined;
  #returnedAt: MonotonicMs;
  #turn = 0;

  constructor(heartbeatIntervalMs: number, now: MonotonicMs) {
    this.tickMs = Math.max(5, Math.floor(heartbeatIntervalMs / 2));
    this.#tickedAt = this.#returnedAt = now;
  }

  /**
   * Ticks all shards. `keeps`: a replica is about to stop, or the replicas change, and no leadership returns meanwhile, least of all to
   * one that goes.
   */
  tick(
    now: MonotonicMs,
    hosts: readonly Pick<ShardHost, 'shard' | 'step' | 'tick'>[],
    { diskStalls, keeps }: { readonly diskStalls: boolean; readonly keeps: boolean },
  ): void {
    this.goesOn(now, hosts);
    this.#tickedAt = now;
    const returning = keeps ? undefined : this.#returning(now, hosts.length);
    for (const host of hosts) host.tick({ keepLeadership: host.shard !== returning, diskStalls });
  }

  /**
   * Tells the shards of a stall before they hear anything: after one, what others sent meanwhile may be read before a timer
   * runs, and would count as late although its sender was not.
   */
  goesOn(now: MonotonicMs, hosts: readonly Pick<ShardHost, 'step'>[]): void {
    const stalledMs = this.#stalled(now);
    if (stalledMs > 0) for (const host of hosts) host.step({ kind: 'stalled', ms: stalledMs });
  }

  /** For how long it did not run since the last tick, though it should have, said once. 0: the next tick is in time. Milliseconds. */
  #stalled(now: MonotonicMs): number {
    const lateMs = now - this.#tickedAt - this.tickMs;
    if (lateMs <= this.tickMs) return 0;
    this.#tickedAt = monotonicMs(this.#tickedAt + lateMs);
    this.#stalledAt = now;
    return lateMs;
  }

  /** The index of the shard that may hand its leadership to the preferred leader at this tick, out of `shards`. */
  #returning(now: MonotonicMs, shards: number): number | undefined {
    const settled = this.#stalledAt === undefined || now - this.#stalledAt >= STALL_BACK_OFF_MS;
    if (!settled || now - this.#returnedAt < RETURN_EVERY_MS) return undefined;
    this.#returnedAt = now;
    return this.#turn++ % shards;
  }
}
