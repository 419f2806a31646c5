import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { groupId, seededRandom } from '../../src/kernel/index.js';
import { newHistory } from '../../src/simulator/history.js';
import { INVARIANTS } from '../../src/simulator/invariants/index.js';
import { Cluster } from '../harness/cluster.js';
import { GroupClient } from '../harness/group-client.js';
import { LinkProxy } from '../harness/link-proxy.js';
import { SmallDisk } from '../harness/small-disk.js';
import { freePorts } from '../harness/tcp-ports.js';
import { eventually, sleep } from '../harness/waiting.js';
import { type Link, Nemesis } from './nemesis.js';
import {
  committer,
  kafkajsCommitter,
  member,
  recordWriter,
  type Scene,
  watcher,
  type Worker,
} from './workers.js';

/**
 * `npm run torture -- [--minutes M] [--seed S]`: three real replicas from dist, clients, and faults that the seed draws. What
 * clients were told is checked by the invariants of the simulator. The same seed draws the same faults; what they meet is
 * up to the machine.
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!(minutes > 0) || !Number.isInteger(seed))
  throw new RangeError('torture [--minutes M] [--seed S]: numbers');

/** After the last fault every client must be served within this time, on a machine that may be busy. */
const GIVE_UP_AFTER_MS = 60_000;
const SCENES = ['one', 'two'];

const startedAt = performance.now();
const now = (): number => performance.now() - startedAt;
const tell = (line: string): void => console.info(`${(now() / 1_000).toFixed(1).padStart(6)} s  ${line}`);

const links: Link[] = [];
/** Replica 3 has one, where this process may mount it. */
let smallDisk: SmallDisk | undefined;

/** The replica with the higher id connects to the other: there is a proxy in each of these connections. */
async function linked(from: number, to: number, port: number): Promise<number> {
  if (from < to) return port;
  const [own] = await freePorts(1);
  links.push({ from, to, proxy: await LinkProxy.open(own!, port) });
  return own!;
}

function start(): Promise<Cluster> {
  return Cluster.start({
    // Three hundred milliseconds are enough for a machine of their own; this one also runs the clients.
    settings: {
      electionTimeoutMs: 1_500,
      leaseMs: 1_500,
      heartbeatIntervalMs: 150,
      shards: 4,
      compactionBytes: 1_048_576,
    },
    nodeFlags: ['--require', join(import.meta.dirname, 'trouble.cjs')],
    environment: (id, dataDir) => {
      if (id === 3) smallDisk = SmallDisk.mount(dataDir, 64);
      const file = `${dataDir}.trouble`;
      writeFileSync(file, '{"clockMs":0,"syncMs":0}');
      return { TROUBLE_FILE: file };
    },
    peerPort: linked,
  });
}

/** Turn after turn. A turn that fails was told nothing; the next one tries anew. */
async function work(worker: Worker, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    try {
      await worker.turn();
    } catch {
      await sleep(50);
    }
  }
}

async function torture(cluster: Cluster): Promise<boolean> {
  const history = newHistory();
  const scene: Scene = { cluster, history, random: seededRandom(seed + 1), now };
  await cluster.createTopic('work', 6);
  const workers: Worker[] = [
    watcher(
      scene,
      SCENES.map((name) => `members-${name}`),
    ),
  ];
  for (const name of SCENES) {
    const tokens = { highest: 1 };
    workers.push(
      recordWriter(scene, name, tokens),
      recordWriter(scene, name, tokens),
      committer(scene, `commits-${name}`),
    );
    workers.push(member(scene, `members-${name}`), member(scene, `members-${name}`));
  }
  workers.push(await kafkajsCommitter(scene, 'kafkajs'));
  let running = true;
  const loops = workers.map((worker) => work(worker, () => running));
  const disk = smallDisk && { id: 3, disk: smallDisk };
  const nemesis = new Nemesis(cluster, links, seededRandom(seed), tell, disk);
  const end = now() + minutes * 60_000;
  while (now() < end) await nemesis.round();
  nemesis.heal();
  await Promise.all(
    workers.map(async (worker) => {
      const before = worker.answered;
      await eventually(worker.name, GIVE_UP_AFTER_MS, () => worker.answered > before).catch(() =>
        history.stuck.push(
          `${worker.name} was not served within ${GIVE_UP_AFTER_MS} ms after the last fault`,
        ),
      );
    }),
  );
  running = false;
  for (const worker of workers) await worker.close?.();
  await Promise.all(loops);
  await readAll(cluster, history);
  history.endings.push(...nemesis.endings);
  return report(history, nemesis, workers);
}

/** What was acknowledged is there at the end. */
async function readAll(cluster: Cluster, history: Scene['history']): Promise<void> {
  for (const { group, acknowledged, tried } of history.commits) {
    const client = new GroupClient({ bootstrap: cluster.bootstrap, group });
    const body = { groupId: group, topics: [{ name: 'work', partitionIndexes: [0] }] };
    const { topics } = await client.ask(9, 5, body, ({ errorCode }) => errorCode, {
      withinMs: GIVE_UP_AFTER_MS,
    });
    const found = Math.max(0, Number(topics[0]?.partitions[0]?.committedOffset ?? -1));
    history.reads.push({ group: groupId(group), atLeast: acknowledged, found, atMost: tried });
    client.close();
  }
}

function report(history: Scene['history'], nemesis: Nemesis, workers: readonly Worker[]): boolean {
  console.info('\nfaults');
  for (const [name, count] of nemesis.counts) console.info(`  ${String(count).padStart(4)}  ${name}`);
  if (smallDisk === undefined) console.info('     -  a disk is full: this process may not mount a small one');
  console.info('operations that were answered');
  for (const { name, answered } of workers) console.info(`  ${String(answered).padStart(6)}  ${name}`);
  const { records, reads, told, acts, grants, endings } = history;
  console.info(
    `checked: ${records.length} reads and writes of records, ${reads.length} reads of offsets, ${told.length} assignments and generations, ${acts.length} commits of members, ${grants.length} grants, ${endings.length} ends of replicas`,
  );
  let holds = true;
  for (const [name, broken] of Object.entries(INVARIANTS)) {
    const problem = broken(history);
    if (problem === undefined) continue;
    holds = false;
    console.error(
      `VIOLATION of ${name}: ${problem}\nreplay the faults: npm run torture -- --minutes ${minutes} --seed ${seed}`,
    );
  }
  return holds;
}

tell(`seed ${seed}, ${minutes} minutes`);
const cluster = await start();
let holds = false;
try {
  holds = await torture(cluster);
  if (!holds) cluster.printLogs();
} finally {
  for (const { id } of cluster.replicas) cluster.resume(id);
  await Promise.all(cluster.replicas.map(({ child }) => child.stop()));
  await Promise.all(links.map(({ proxy }) => proxy.close()));
  smallDisk?.unmount();
  await cluster.close();
}
process.exitCode = holds ? 0 : 1;
