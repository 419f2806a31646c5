import type { HistogramReading } from '../../kernel/index.js';
import type { Sample } from './sample.js';
import type { Scrape } from './scrape.js';

interface Named {
  readonly name: `quorate_${string}`;
  readonly help: string;
}
/** Read when somebody asks: nothing is written for a metric where things happen. */
export type Metric =
  | (Named & {
      readonly kind: 'gauge' | 'counter';
      readonly labels: readonly string[];
      readonly read: (scrape: Scrape) => readonly Sample[];
    })
  | (Named & {
      readonly kind: 'histogram';
      readonly labels: readonly string[];
      readonly read: (scrape: Scrape) => readonly Distribution[];
    });

/** What was observed of one series. */
export interface Distribution extends HistogramReading {
  readonly labels?: Readonly<Record<string, string | number>>;
}

/** { a: 1 } -> a sample with { [label]: 'a' } for each. */
export const byLabel = (label: string, counts: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
