interface Clocks {
  /** Stands still while the machine is suspended, on Linux. */
  readonly monotonicMs: () => number;
  /** Runs on, but may be set. Cheap to read. */
  readonly wallMs: () => number;
  /** Runs on and is never set, but costs a system call. To 10 ms. */
  readonly uptimeMs: () => number;
}

/** The wall clock has jumped, or the machine was suspended: only then the uptime is read. Milliseconds. */
const JUMP_MS = 50;
/** What the uptime may be wrong by. Milliseconds. */
const UPTIME_ERROR_MS = 20;

/**
 * A monotonic clock that counts suspends, so that a lease does not outlive one: what the uptime has gained on the monotonic
 * clock is added. A suspend shorter than 50 ms is not seen, nor one during which the wall clock was set back by as much.
 */
export function countingSuspends({ monotonicMs, wallMs, uptimeMs }: Clocks): () => number {
  const upAhead = uptimeMs() - monotonicMs();
  let wallAhead = wallMs() - monotonicMs();
  let suspended = 0;
  return () => {
    const now = monotonicMs();
    const ahead = wallMs() - now;
    if (Math.abs(ahead - wallAhead) > JUMP_MS) {
      const gained = uptimeMs() - now - upAhead;
      if (gained > suspended + UPTIME_ERROR_MS) suspended = gained;
    }
    wallAhead = ahead;
    return now + suspended;
  };
}
