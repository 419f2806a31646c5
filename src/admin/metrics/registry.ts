import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AdminSource } from '../port.js';
import type { Distribution, Metric } from './definition.js';
import { OF_BROKER } from './of-broker.js';
import { OF_REPLICA } from './of-replica.js';
import { OF_SHARDS } from './of-shards.js';
import { Scrape } from './scrape.js';

/** All there are. Names are a promise to dashboards: add, never rename. */
export const METRICS: readonly Metric[] = [...OF_REPLICA, ...OF_SHARDS, ...OF_BROKER];

const TURN_CHARACTERS = 16 * 1_024;
const nextTurn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

/** `/metrics` of one replica: a registry of its own, so that it meets no other one of the same process. */
export class ReplicaMetrics {
  readonly #registry = new Registry();
  readonly #source: AdminSource;
  #scrape: Scrape | undefined;

  constructor(source: AdminSource) {
    this.#source = source;
    for (const metric of METRICS) this.#register(metric);
  }

  /** Prometheus' text format. Others have their turn in between: a thousand groups are thousands of lines. */
  async text(): Promise<string> {
    // Scrapes that overlap share what the last of them has read.
    this.#scrape = new Scrape(this.#source);
    await nextTurn();
    const texts: string[] = [];
    let sinceTurn = 0;
    for (const { name } of METRICS) {
      const text = await this.#registry.getSingleMetricAsString(name);
      texts.push(text);
      sinceTurn += text.length;
      if (sinceTurn < TURN_CHARACTERS) continue;
      sinceTurn = 0;
      await nextTurn();
    }
    return `${texts.join('\n\n')}\n`;
  }

  #register(metric: Metric): void {
    const { name, help } = metric;
    const registers = [this.#registry];
    const now = (): Scrape => (this.#scrape ??= new Scrape(this.#source));
    if (metric.kind === 'histogram') {
      new KeptHistogram({ name, help, registers }, () => metric.read(now()));
      return;
    }
    const labelNames = [...metric.labels];
    if (metric.kind === 'counter') {
      const counter: Counter = new Counter({
        ...{ name, help, labelNames, registers },
        collect: () => {
          counter.reset();
          for (const { labels = {}, value } of metric.read(now())) counter.inc({ ...labels }, value);
        },
      });
      return;
    }
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames, registers },
      collect: () => {
        gauge.reset();
        for (const { labels = {}, value } of metric.read(now())) gauge.set({ ...labels }, value);
      },
    });
  }
}

/** A histogram whose buckets are counted elsewhere, without a look at labels for each observation. */
class KeptHistogram extends Histogram {
  readonly #named: { readonly name: string; readonly help: string };
  readonly #read: () => readonly Distribution[];

  constructor(
    options: { readonly name: string; readonly help: string; readonly registers: Registry[] },
    read: () => readonly Distribution[],
  ) {
    super(options);
    this.#named = { name: options.name, help: options.help };
    this.#read = read;
  }

  /** What the registry asks each histogram for. */
  getForPromString(): Promise<object> {
    const { name } = this.#named;
    const values = this.#read().flatMap(({ labels = {}, bounds, through, count, sum }) => {
      const part = (suffix: string, value: number, le?: number | string): object => ({
        labels: le === undefined ? labels : { ...labels, le },
        value,
        metricName: `${name}_${suffix}`,
      });
      return [
        ...bounds.map((bound, place) => part('bucket', through[place]!, bound)),
        part('bucket', count, '+Inf'),
        part('sum', sum),
        part('count', count),
      ];
    });
    return Promise.resolve({ ...this.#named, type: 'histogram', aggregator: 'sum', values });
  }
}
