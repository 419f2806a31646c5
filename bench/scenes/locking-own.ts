import { QuorateStore, type RecordStore } from '../../src/locking/index.js';
import type { Cluster } from '../../test/harness/cluster.js';
import { GroupClient } from '../../test/harness/group-client.js';
import { median } from '../../test/harness/waiting.js';
import { type SceneContext, startCluster } from './load.js';

const SPACE = 'bench-records';
const ROUNDS = 5;
const ROUND_MS = 500;

/** Compare-and-set of Quorate's own records, against offset commits by the same client in the same run. */
export async function benchRecords({ report }: SceneContext): Promise<void> {
  report.title('Own records: compare-and-set, 3 replicas, fsync on all of them');
  // The client shares the machine with the replicas and is not sparing with it: no leader is to fall for that.
  const cluster = await startCluster({ settings: { electionTimeoutMs: 1_500, leaseMs: 1_500 } });
  try {
    await cluster.createTopic('work', 64);
    await cluster.settled(SPACE);
    for (const inFlight of [1, 64]) {
      const [commits, ...writes] = await measureByTurns(cluster, await waysOf(cluster, inFlight));
      const add = (what: string, value: number, unit: string): void =>
        report.add({ name: `${inFlight} in flight, ${what}`, value, unit });
      add('offset commits: rate', commits!.perSecond, '/s');
      for (const { name, perSecond, p50Ms, clientMicros, replicaMicros } of writes) {
        add(`${name}: rate`, perSecond, '/s');
        add(`${name}: rate / offset commits`, perSecond / commits!.perSecond, 'x');
        add(`${name}: p50`, p50Ms, 'ms');
        add(`${name}: CPU of the client`, clientMicros, 'us each');
        add(`${name}: CPU of all replicas`, replicaMicros, 'us each');
      }
    }
  } finally {
    await cluster.close();
  }
}

type Step = () => Promise<void>;
interface Way {
  readonly name: string;
  /** One for each that is to be in flight. */
  readonly steps: readonly Step[];
}

/** Offset commits come first. */
async function waysOf(cluster: Cluster, inFlight: number): Promise<readonly Way[]> {
  const urls = await leaderFirst(cluster);
  const newStore = (): RecordStore => new QuorateStore({ urls, space: SPACE });
  const store = newStore();
  const ways = [
    { name: 'offset commits', steps: committers(cluster, inFlight) },
    { name: 'over HTTP', steps: await setters(() => store, inFlight, 'h') },
  ];
  if (inFlight === 1) return ways;
  // As if each were a process of its own: nothing is there to share a request with.
  return [...ways, { name: 'over HTTP, a store each', steps: await setters(newStore, inFlight, 'e') }];
}

interface Rates {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly clientMicros: number;
  readonly replicaMicros: number;
}

/** In several rounds by turns, so that warming up and what the machine does besides hit all alike. */
async function measureByTurns(
  cluster: Cluster,
  ways: readonly Way[],
): Promise<readonly (Rates & { readonly name: string })[]> {
  const measured = ways.map(({ name, steps }) => ({ name, steps, rounds: [] as Rates[] }));
  for (const { steps } of measured) await measure(cluster, steps);
  for (let round = 0; round < ROUNDS; round++)
    for (const { steps, rounds } of measured) rounds.push(await measure(cluster, steps));
  return measured.map(({ name, rounds }) => ({
    name,
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    clientMicros: median(rounds.map(({ clientMicros }) => clientMicros)),
    replicaMicros: median(rounds.map(({ replicaMicros }) => replicaMicros)),
  }));
}

async function measure(cluster: Cluster, steps: readonly Step[]): Promise<Rates> {
  const replicaCpu = (): number => cluster.replicas.reduce((sum, { child }) => sum + child.cpuMicros(), 0);
  const replicaCpuBefore = replicaCpu();
  const clientCpuBefore = process.cpuUsage();
  const times: number[] = [];
  const from = performance.now();
  await Promise.all(
    steps.map(async (step) => {
      for (let at = from; at < from + ROUND_MS; at = performance.now()) {
        await step();
        times.push(performance.now() - at);
      }
    }),
  );
  const seconds = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(clientCpuBefore);
  return {
    perSecond: times.length / seconds,
    p50Ms: median(times),
    clientMicros: (user + system) / times.length,
    replicaMicros: (replicaCpu() - replicaCpuBefore) / times.length,
  };
}

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

function committers(cluster: Cluster, count: number): readonly Step[] {
  return Array.from({ length: count }, (_, partitionIndex) => {
    const client = new GroupClient({ bootstrap: cluster.bootstrap, group: SPACE });
    let committedOffset = 0;
    return async (): Promise<void> => {
      committedOffset++;
      const partitions = [{ partitionIndex, committedOffset, committedMetadata: '' }];
      const body = { groupId: SPACE, memberId: '', topics: [{ name: 'work', partitions }] };
      await client.ask(8, 7, body, ({ topics }) => topics[0]!.partitions[0]!.errorCode);
    };
  });
}

/** As a client that has found the leader would have them. */
async function leaderFirst(cluster: Cluster): Promise<readonly string[]> {
  const leader = await cluster.leaderOf(SPACE);
  const urls = cluster.replicas.map(({ http }) => http);
  return [cluster.replica(leader).http, ...urls.filter((url) => url !== cluster.replica(leader).http)];
}
