import type { Random } from '../../../src/kernel/index.js';

/** What may go wrong in a run; every seed draws its own mixture. Probabilities are per event. */
export interface Weather {
  readonly replicas: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  readonly longDelay: number;
  readonly crash: number;
  readonly cut: number;
  readonly transfer: number;
  readonly snapshot: number;
  readonly slowDisk: number;
  readonly pause: number;
  readonly reconfigure: number;
}

export function drawWeather(random: Random): Weather {
  const sometimes = (most: number): number => (random.chance(0.5) ? random.next() * most : 0);
  return {
    replicas: random.chance(0.85) ? 3 : 5,
    drop: sometimes(0.3),
    duplicate: sometimes(0.3),
    delayMsMax: 1 + random.below(8),
    longDelay: sometimes(0.1),
    crash: sometimes(0.03),
    cut: sometimes(0.03),
    transfer: sometimes(0.02),
    snapshot: sometimes(0.03),
    slowDisk: sometimes(0.3),
    pause: sometimes(0.02),
    reconfigure: sometimes(0.03),
  };
}
