import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type AdminSource, metricsPage } from '../../../src/admin/index.js';
import { METRICS, ReplicaMetrics } from '../../../src/admin/metrics/registry.js';
import { GROUPS_MAX } from '../../../src/admin/metrics/scrape.js';
import { Histogram, monotonicMs, type ReplicaId, replicaId, wallMs } from '../../../src/kernel/index.js';
import { type Replica, systemClock } from '../../../src/replica/index.js';
// Behind the door on purpose: it is fed without a replica.
import { Measures } from '../../../src/replica/measures.js';
import { ROOT } from '../../harness/cluster.js';
import { commit, GROUP } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const delay = new Histogram([0.01, 0.1]);
for (const late of [0.001, 0.01, 0.05, 7]) delay.observe(late);

/** What the HTTP side asks of a replica, without a process around it. */
function sourceOf(replica: Replica): AdminSource {
  const source: Partial<AdminSource> = {
    version: '1.2.3',
    shards: replica.shards,
    readiness: () => ({ ready: true, reasons: [] }),
    status: () => replica.status(),
    diskSpace: () => ({ freeBytes: 25, totalBytes: 100 }),
    stalls: () => [{ cause: 'gc', count: 2, ms: 350 }],
    loopDelay: () => delay.read(),
    loopHeld: () => [{ cause: 'gc', ...delay.read() }],
    measures: () => replica.measures(),
    view: (shard) => replica.peek(shard),
    serves: (shard) => replica.serves(shard),
    brokerCounters: () => ({
      ...{ requests_JoinGroup: 3, parked_join: 1, connectionsOpen: 4, bytesIn: 5, answerBytes: 77 },
      errors_OffsetCommit_ILLEGAL_GENERATION: 6,
    }),
  };
  return source as AdminSource;
}
const scrape = (replica: Replica): Promise<string> => new ReplicaMetrics(sourceOf(replica)).text();
const valueOf = (text: string, series: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  );

/** Series that are not as their table says: the name, and each label of it (a histogram has `le` beside). */
const strangeSeries = (text: string): readonly string[] =>
  text.split('\n').filter((line) => {
    if (line === '' || line.startsWith('#')) return false;
    const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const found = [...labels.matchAll(/(\w+)="[^"]*"/g)]
      .map(([, label]) => label)
      .filter((each) => each !== 'le');
    return !METRICS.some(
      (metric) =>
        (metric.kind === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name) === metric.name &&
        isDeepStrictEqual([...found].sort(), [...metric.labels].sort()),
    );
  });

it('docs/metrics.md is what the tables say (npm run docs:metrics writes it)', () => {
  expect(readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')).toBe(metricsPage());
});

it.each(METRICS.map((metric) => [metric.name, metric] as const))(
  '%s has a name by the conventions of Prometheus, and says what it means',
  (name, { kind, help, labels }) => {
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(name).not.toMatch(/_(ms|millis|kb|count|bucket|sum)(_|$)/);
    expect(help).toMatch(/[.]$/);
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
  },
);

describe('the metrics of a replica', () => {
  jest.setTimeout(60_000);
  let cluster: SimulatedCluster;
  afterEach(() => expect(cluster.fatal).toEqual([]));
  const leader = (): Replica =>
    [...cluster.replicas.values()].find((replica) => replica.serves(replica.shardOf(GROUP)))!;

  it('are all there, once each, and count what happens', async () => {
    cluster = new SimulatedCluster();
    await cluster.startAll();
    const led = leader();
    const metrics = new ReplicaMetrics(sourceOf(led));
    const before = await metrics.text();
    for (const { name, kind } of METRICS) expect(before.split(`# TYPE ${name} ${kind}\n`)).toHaveLength(2);
    expect(strangeSeries(before)).toEqual([]);
    for (let offset = 1; offset <= 20; offset++)
      led.submit(led.shardOf(GROUP), commit(offset), () => undefined);
    await cluster.time.advance(500);
    const after = await metrics.text();
    const grown = (series: string): number => valueOf(after, series) - valueOf(before, series);
    expect(grown('quorate_commit_seconds_count')).toBe(20);
    expect(grown('quorate_commit_seconds_sum')).toBeGreaterThan(0);
    expect(grown('quorate_commit_seconds_bucket{le="+Inf"}')).toBe(20);
    expect(grown('quorate_disk_write_seconds_count')).toBeGreaterThan(0);
    expect(grown('quorate_apply_seconds_count')).toBeGreaterThan(0);
    expect(valueOf(after, `quorate_group_members{group="${GROUP}"}`)).toBe(0);
    expect(valueOf(after, 'quorate_info{version="1.2.3",quorums="majority of 3"}')).toBe(1);
    expect(valueOf(after, 'quorate_standing{standing="voter"}')).toBe(1);
    expect(valueOf(after, 'quorate_requests_total{api="JoinGroup"}')).toBe(3);
    expect(valueOf(after, 'quorate_parked_requests{kind="join"}')).toBe(1);
    expect(valueOf(after, 'quorate_error_answers_total{api="OffsetCommit",error="ILLEGAL_GENERATION"}')).toBe(
      6,
    );
    const held = (part: string): number => valueOf(after, `quorate_held_bytes{part="${part}"}`);
    expect(held('log')).toBeGreaterThan(0);
    expect([held('records'), held('peers'), held('answers')]).toEqual([0, 0, 77]);
    // One group with one offset.
    expect([held('groups'), held('offsets')]).toEqual([2_700, 23]);
    expect(valueOf(after, 'quorate_loop_stalled_seconds_total{cause="gc"}')).toBe(0.35);
    expect(
      ['0.01', '0.1', '+Inf'].map((le) => valueOf(after, `quorate_loop_delay_seconds_bucket{le="${le}"}`)),
    ).toEqual([2, 3, 4]);
    expect(valueOf(after, 'quorate_loop_delay_seconds_sum')).toBeCloseTo(7.061);
  });

  it('say why there was an election, and why the leader before stepped down', async () => {
    cluster = new SimulatedCluster({ shards: 1 });
    await cluster.startAll();
    const elections = (id: ReplicaId) => cluster.replicas.get(id)!.measures().elections;
    const stepDowns = (id: ReplicaId) => cluster.replicas.get(id)!.measures().stepDowns;
    const none = {
      'higher-ballot': 0,
      'no-quorum': 0,
      'handed-over': 0,
      'disk-stalls': 0,
      'next-configuration': 0,
    };
    const first = leader();
    expect(elections(first.self)).toMatchObject({ start: 1, 'hand-over': 0 });
    await Promise.all([first.handOver(1_000), cluster.time.advance(1_000)]);
    const second = leader();
    expect(second.self).not.toBe(first.self);
    expect(elections(second.self)).toMatchObject({ 'hand-over': 1, 'leader-silent': 0 });
    expect(stepDowns(first.self)).toEqual({ ...none, 'handed-over': 1 });
    expect(stepDowns(second.self)).toEqual(none);
    for (const id of cluster.ids) if (id !== second.self) cluster.network.cut(id, second.self);
    await cluster.time.advance(4_000);
    const third = [...cluster.replicas.values()].find(
      (each) => each !== second && each.serves(each.shardOf(GROUP)),
    )!;
    expect(elections(third.self)['leader-silent']).toBe(1);
  });

  it('say that a leader stepped down because too few answer', async () => {
    cluster = new SimulatedCluster({ shards: 1 });
    await cluster.startAll();
    const led = leader();
    for (const id of cluster.ids) if (id !== led.self) cluster.network.cut(id, led.self);
    await cluster.time.advance(4_000);
    expect(led.measures().stepDowns).toMatchObject({ 'no-quorum': 1, 'handed-over': 0 });
  });

  it('name a thousand groups, and say how many there are beside', async () => {
    cluster = new SimulatedCluster({ shards: 1 });
    await cluster.startAll();
    const led = leader();
    for (let i = 0; i < GROUPS_MAX + 5; i++)
      led.submit(led.shardOf(GROUP), commit(1, { group: `group ${i}` }), () => undefined);
    await cluster.time.advance(500);
    // Others have their turns meanwhile.
    let turns = 0;
    let scraping = true;
    const turn = (): void => {
      turns++;
      if (scraping) setImmediate(turn);
    };
    setImmediate(turn);
    const text = await scrape(led).finally(() => (scraping = false));
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(text.match(/^quorate_group_members\{/gm)).toHaveLength(GROUPS_MAX);
    expect(valueOf(text, 'quorate_groups_left_out')).toBe(5);
    const follower = [...cluster.replicas.keys()].find((id) => id !== led.self) ?? replicaId(0);
    expect(await scrape(cluster.replicas.get(follower)!)).not.toContain('quorate_group_members{');
  });
});

describe('what a leader tells of its groups', () => {
  it('is counted by what began a rebalance, how long it took, and why members left', () => {
    const measures = new Measures({ ...systemClock, monotonic: () => monotonicMs(0) });
    const record = (cause: 'member-joined' | 'session-expired', stableAt: number | null) => ({
      trigger: { cause, memberId: null, reason: null },
      startedAt: wallMs(1_000),
      stableAt: stableAt === null ? null : wallMs(stableAt),
    });
    const told = [
      { kind: 'rebalance-ended', group: GROUP, record: record('member-joined', 1_300) },
      { kind: 'rebalance-ended', group: GROUP, record: record('session-expired', null) },
      { kind: 'member-left', group: GROUP, memberId: 'm', cause: 'session-expired' },
    ];
    measures.told(told as unknown as Parameters<typeof measures.told>[0]);
    const { rebalances, rebalance, departures } = measures.read();
    expect(rebalances).toMatchObject({ 'member-joined': 1, 'session-expired': 1, 'member-left': 0 });
    expect([rebalance.count, rebalance.sum]).toEqual([1, 0.3]);
    expect(departures).toMatchObject({ 'session-expired': 1, left: 0 });
  });
});
