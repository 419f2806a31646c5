import { shardId } from '../../kernel/index.js';
import { groupLags } from '../lag.js';
import type { AdminSource } from '../port.js';
import type { Sample } from './sample.js';

/** So many groups have metrics of their own, in the order in which they are kept: each is a time series for ever. */
export const GROUPS_MAX = 1_000;

/** What one scrape reads, each once. */
export class Scrape {
  readonly source: AdminSource;
  readonly status: ReturnType<AdminSource['status']>;
  readonly lags: ReturnType<typeof groupLags>;
  readonly measures: ReturnType<AdminSource['measures']>;
  readonly stalls: ReturnType<AdminSource['stalls']>;
  readonly held: ReturnType<AdminSource['loopHeld']>;
  readonly disk: ReturnType<AdminSource['diskSpace']>;
  readonly broker: Readonly<Record<string, number>>;
  readonly memory = process.memoryUsage();
  readonly groups: readonly {
    readonly group: string;
    readonly members: number;
    readonly generation: number;
  }[];
  readonly groupsLeftOut: number;

  constructor(source: AdminSource) {
    this.source = source;
    this.status = source.status();
    this.lags = groupLags(source);
    this.measures = source.measures();
    this.stalls = source.stalls();
    this.held = source.loopHeld();
    // A disk that hangs may hang this question, too.
    this.disk = this.status.diskStalls ? undefined : source.diskSpace();
    this.broker = source.brokerCounters();
    const led = this.status.shards.filter(({ shard }) => source.serves(shardId(shard)));
    const groups: { readonly group: string; readonly members: number; readonly generation: number }[] = [];
    for (const { shard } of led) {
      if (groups.length >= GROUPS_MAX) break;
      for (const { group, members, generation } of source.view(shard).groups.list()) {
        if (groups.length >= GROUPS_MAX) break;
        groups.push({ group, members, generation });
      }
    }
    this.groups = groups;
    this.groupsLeftOut = led.reduce((sum, shard) => sum + shard.groups, 0) - groups.length;
  }

  perShard(value: (shard: Scrape['status']['shards'][number]) => number): readonly Sample[] {
    return this.status.shards.map((shard) => ({ labels: { shard: shard.shard }, value: value(shard) }));
  }

  /** Of each cause that there is: a counter that begins when something happens hides its first time. */
  perStallCause(value: (stall: Scrape['stalls'][number]) => number): readonly Sample[] {
    return this.held.map(({ cause }) => {
      const stall = this.stalls.find((each) => each.cause === cause);
      return { labels: { cause }, value: stall === undefined ? 0 : value(stall) };
    });
  }

  /** The counters of the broker that begin so: `requests_JoinGroup` -> { api: 'JoinGroup' }. */
  ofBroker(prefix: string, label: string): readonly Sample[] {
    return Object.entries(this.broker)
      .filter(([name]) => name.startsWith(`${prefix}_`))
      .map(([name, value]) => ({ labels: { [label]: name.slice(prefix.length + 1) }, value }));
  }
}
