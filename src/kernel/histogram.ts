/** How often a measured value was how large, to be read now and then: an observation adds to numbers that are there already. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** By bucket, the last one for what is above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** Upper bounds of the buckets, rising; a value that is equal to one is within it. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  read(): HistogramReading {
    let count = 0;
    const through = [...this.#counts].map((inBucket) => (count += inBucket));
    return { bounds: this.#bounds, through: through.slice(0, -1), count, sum: this.#sum };
  }
}

export interface HistogramReading {
  readonly bounds: readonly number[];
  /** How many values were at most as large as each bound. */
  readonly through: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** What was observed between two readings of one histogram. */
export function readingBetween(before: HistogramReading, after: HistogramReading): HistogramReading {
  return {
    bounds: after.bounds,
    through: after.through.map((count, place) => count - before.through[place]!),
    count: after.count - before.count,
    sum: after.sum - before.sum,
  };
}

/** The bound below which this share of the values is; Infinity above all bounds, undefined without values. */
export function quantileBound(
  { bounds, through, count }: HistogramReading,
  share: number,
): number | undefined {
  if (count === 0) return undefined;
  const place = through.findIndex((within) => within >= count * share);
  return bounds[place] ?? Infinity;
}

/** Bounds for durations of 0.1 ms to a minute. Seconds. */
export const DURATION_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];
