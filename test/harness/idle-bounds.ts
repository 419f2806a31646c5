import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

interface Times {
  readonly sessionMs: number;
  readonly heartbeatMs: number;
}

/** A request without an answer, and the longest pause before it is sent again. Milliseconds. */
const retryMs = ({ sessionMs }: Times): number => Math.min(5_000, sessionMs / 3) + 1_000;
/** The next leaders of the replicas serve. Milliseconds. */
const ELECTED_MS = 2_000;
/** `disconnectGraceMs`, as it is set. Milliseconds. */
const GRACE_MS = 3_000;
/** The round of a rebalance: requests of tens of milliseconds. */
const ROUND_MS = 500;

/** For how long a partition may stand idle, as docs/worker.md states it; handlers that settle at once. Milliseconds. */
export const IDLE_MS_MAX = {
  /** A worker leaves, or one that was away comes back and takes its part in two rounds. */
  cleanLeave: ({ heartbeatMs }: Times): number => 2 * (heartbeatMs + ROUND_MS),
  /** kill -9: its connections end. */
  killed: (): number => GRACE_MS + 1_000,
  /** SIGSTOP, or a machine that is gone. */
  silence: (times: Times): number => times.sessionMs + times.heartbeatMs + ROUND_MS,
  /** From when replicas, or the network, are back. */
  comeback: (times: Times): number => ELECTED_MS + retryMs(times) + 2 * (times.heartbeatMs + ROUND_MS),
} as const;

/** Steps of a hand-over that wait one after the other for a processor. */
const STEPS = 20;
const LEAST_MS = 2_000;

/** What a machine that is busy with much else adds: so many steps, each with the longest delay that this process has seen meanwhile. */
export class BusyMachine {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });

  begin(): void {
    this.#delay.reset();
    this.#delay.enable();
  }
  get allowanceMs(): number {
    return Math.max(LEAST_MS, (STEPS * this.#delay.max) / 1e6);
  }
}
