import { randomInt, randomUUID } from 'node:crypto';
import { uptime } from 'node:os';
import { monotonicMs, wallMs } from '../kernel/index.js';
import type { Clock, Entropy } from './ports.js';
import { countingSuspends } from '../kernel/index.js';

/** As a global it is a getter, which runs at each use. */
const timer = performance;

const monotonic = countingSuspends({
  monotonicMs: () => timer.now(),
  wallMs: () => Date.now(),
  uptimeMs,
});

/** Where a sandbox does not tell it, suspends are not seen. */
function uptimeMs(): number {
  try {
    return uptime() * 1_000;
  } catch {
    return timer.now();
  }
}

/** The machine's clocks. `monotonic` runs on while the process is stopped, and while the machine is suspended. */
export const systemClock: Clock = {
  monotonic: () => monotonicMs(monotonic()),
  wall: () => wallMs(Date.now()),
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    return () => clearTimeout(timeout);
  },
  // Runs once all that the sockets had ready was read: one batch, one sync and one write for the whole turn.
  endOfTurn: (callback) => void setImmediate(callback),
};

export const systemEntropy: Entropy = {
  uuid: () => randomUUID(),
  seed: () => randomInt(2 ** 32),
};
