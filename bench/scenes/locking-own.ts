import { QuorateStore, type RecordStore } from '../../src/locking/index.js';
import type { Cluster } from '../../test/harness/cluster.js';
import { GroupClient } from '../../test/harness/group-client.js';
import { WireStore } from '../../test/harness/wire-store.js';
import { percentile } from '../../test/harness/waiting.js';
import { type SceneContext, startCluster } from './load.js';

const SPACE = 'bench-records';
const WARM_UP_MS = 500;
const MEASURE_MS = 2_000;

/** Compare-and-set of Quorate's own records, against offset commits by the same client in the same run. */
export async function benchRecords({ report }: SceneContext): Promise<void> {
  report.title('Own records: compare-and-set, 3 replicas, fsync on all of them');
  // The client shares the machine with the replicas and is not sparing with it: no leader is to fall for that.
  const cluster = await startCluster({ settings: { electionTimeoutMs: 1_500, leaseMs: 1_500 } });
  try {
    await cluster.createTopic('work', 64);
    await cluster.settled(SPACE);
    for (const inFlight of [1, 64]) {
      const commits = await measure(inFlight, await committers(cluster, inFlight));
      const http = new QuorateStore({ urls: await leaderFirst(cluster), space: SPACE });
      const ways = [
        ['over HTTP', await measure(inFlight, await setters(() => http, inFlight, 'h'))],
        ['by RecordWrite', await measure(inFlight, await setters(wireStores(cluster), inFlight, 'w'))],
      ] as const;
      const name = `${inFlight} in flight`;
      report.add({ name: `${name}: offset commits by this client`, value: commits.perSecond, unit: '/s' });
      for (const [way, { perSecond, p50Ms }] of ways) {
        report.add({ name: `${name}, ${way}: rate`, value: perSecond, unit: '/s' });
        report.add({ name: `${name}, ${way}: p50`, value: p50Ms, unit: 'ms' });
        report.add({
          name: `${name}, ${way}: rate against offset commits`,
          value: perSecond / commits.perSecond,
          unit: 'x',
        });
      }
    }
  } finally {
    await cluster.close();
  }
}

type Step = () => Promise<void>;

async function measure(
  inFlight: number,
  steps: readonly Step[],
): Promise<{ readonly perSecond: number; readonly p50Ms: number }> {
  const times: number[] = [];
  const began = performance.now();
  const from = began + WARM_UP_MS;
  const until = from + MEASURE_MS;
  await Promise.all(
    Array.from({ length: inFlight }, async (_, index) => {
      for (;;) {
        const at = performance.now();
        if (at >= until) return;
        await steps[index]!();
        if (at >= from) times.push(performance.now() - at);
      }
    }),
  );
  return { perSecond: (times.length / MEASURE_MS) * 1_000, p50Ms: percentile(times, 0.5) };
}

const wireStores =
  (cluster: Cluster): (() => RecordStore) =>
  () =>
    new WireStore(new GroupClient({ bootstrap: cluster.bootstrap, group: SPACE }));

/** One record each, so that nobody waits for anybody's version. */
async function setters(store: () => RecordStore, count: number, prefix: string): Promise<readonly Step[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const own = store();
      const id = `${prefix}-${count}-${index}`;
      await own.write([{ kind: 'insert', resource: 'r', id, value: { n: 0 } }], 'each');
      let version = 1;
      return async (): Promise<void> => {
        const [outcome] = await own.write(
          [{ kind: 'update', resource: 'r', id, version, changes: { n: version } }],
          'each',
        );
        if (outcome?.kind !== 'written') throw new Error(`a write was ${outcome?.kind}`);
        version = outcome.version;
      };
    }),
  );
}

async function committers(cluster: Cluster, count: number): Promise<readonly Step[]> {
  return Promise.resolve(
    Array.from({ length: count }, (_, partitionIndex) => {
      const client = new GroupClient({ bootstrap: cluster.bootstrap, group: SPACE });
      let committedOffset = 0;
      return async (): Promise<void> => {
        committedOffset++;
        const partitions = [{ partitionIndex, committedOffset, committedMetadata: '' }];
        const body = { groupId: SPACE, memberId: '', topics: [{ name: 'work', partitions }] };
        await client.ask(8, 7, body, ({ topics }) => topics[0]!.partitions[0]!.errorCode);
      };
    }),
  );
}

/** As a client that has found the leader would have them. */
async function leaderFirst(cluster: Cluster): Promise<readonly string[]> {
  const leader = await cluster.leaderOf(SPACE);
  const urls = cluster.replicas.map(({ http }) => http);
  return [cluster.replica(leader).http, ...urls.filter((url) => url !== cluster.replica(leader).http)];
}
