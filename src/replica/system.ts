import { randomInt, randomUUID } from 'node:crypto';
import { monotonicMs, wallMs } from '../kernel/index.js';
import type { Clock, Entropy } from './ports.js';

/** The machine's clocks. `performance.now` is CLOCK_MONOTONIC: it runs on while the process is stopped. */
export const systemClock: Clock = {
  monotonic: () => monotonicMs(performance.now()),
  wall: () => wallMs(Date.now()),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  // Runs once all that the sockets had ready was read: one batch, one sync and one write for the whole turn.
  endOfTurn: (callback) => void setImmediate(callback),
};

export const systemEntropy: Entropy = {
  uuid: () => randomUUID(),
  seed: () => randomInt(2 ** 32),
};
