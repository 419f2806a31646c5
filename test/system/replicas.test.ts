import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReplicaPlanJson, ReplicasJson, StatusJson } from '../../src/admin/shapes.js';
import { Cluster, type ReplicaProcess } from '../harness/cluster.js';
import { CommitLoad } from '../harness/commit-load.js';
import { quorate } from '../harness/quorate-command.js';
import { eventually } from '../harness/waiting.js';

const WITHIN_MS = 120_000;

let cluster: Cluster;
let load: CommitLoad | undefined;
beforeEach(() => (load = undefined));
afterEach(async () => {
  await load?.stop();
  await cluster.close();
}, 60_000);

async function get<T>(id: number, path: string): Promise<T> {
  const response = await fetch(`${cluster.replica(id).http}${path}`);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}

/** `quorate replicas ...`, which waits until it is done. */
async function replicas(...args: readonly string[]): Promise<string> {
  const { code, text } = await quorate(cluster, 'replicas', ...args);
  if (code !== 0) {
    cluster.printLogs();
    throw new Error(`quorate replicas ${args.join(' ')} ended with ${code}:\n${text}`);
  }
  return text;
}

const address = ({ id, kafka, http }: ReplicaProcess, peerPort: number): string =>
  `${id}@127.0.0.1:${peerPort}:${kafka.port}:${new URL(http).port}`;
async function joined(id: number): Promise<string> {
  const replica = await cluster.join(id);
  const { addresses } = await eventually(`replica ${id} answers`, WITHIN_MS, () =>
    get<StatusJson>(id, '/status').catch(() => undefined),
  );
  return address(replica, Number(addresses.peers.split(':').at(-1)));
}
async function committing(groups: number): Promise<void> {
  await cluster.createTopic('work', 1);
  load = new CommitLoad(cluster, groups);
  load.start();
  await more(groups);
}
/** So many further commits are acknowledged. */
async function more(count: number): Promise<void> {
  const goal = load!.count + count;
  await eventually('commits go on', WITHIN_MS, () => {
    if (load!.failures.length > 0) throw new Error(load!.failures[0]);
    return load!.count >= goal;
  });
}
async function nothingIsLost(): Promise<void> {
  await load!.stop();
  expect(load!.failures).toEqual([]);
  expect(await load!.missing()).toEqual([]);
}

describe('a replica whose disk was lost', () => {
  it('comes back with its vote by quorate replicas replace, while clients commit', async () => {
    cluster = await Cluster.start();
    await committing(16);
    await cluster.kill(3);
    rmSync(cluster.replica(3).dataDir, { recursive: true });
    cluster.restart(3);
    await eventually('replica 3 follows without a vote', WITHIN_MS, async () => {
      const { peers } = await get<StatusJson>(1, '/status');
      return peers.some(({ id, up, votes }) => id === 3 && up && !votes);
    });

    const shown = JSON.parse(await replicas('replace', '3', '--json')) as ReplicaPlanJson;
    expect(shown).toMatchObject({
      executed: false,
      from: [1, 2, 3],
      to: [1, 2, 3],
      learns: [{ id: 3, up: true }],
    });
    expect((await get<ReplicasJson>(1, '/replicas')).number).toBe(0);
    expect(await replicas('replace', '3', '--execute')).toContain('change 1, majority of 3');
    const { replicas: after } = await get<ReplicasJson>(2, '/replicas');
    expect(after.map(({ up, votes, otherDisk }) => ({ up, votes, otherDisk }))).toEqual(
      Array(3).fill({ up: true, votes: true, otherDisk: false }),
    );

    // Its vote counts: the cluster goes on when another one is lost.
    await cluster.kill(1);
    await more(200);
    cluster.restart(1);
    await cluster.ready(1);
    await nothingIsLost();
  }, 240_000);
});

describe('one replica', () => {
  it('becomes three and five, and three others in the end, while clients commit', async () => {
    cluster = await Cluster.start({ replicas: 1 });
    await committing(8);
    const [two, three] = [await joined(2), await joined(3)];
    expect(await replicas('add', two, three, '--execute')).toContain('majority of 3');
    await cluster.kill(1);
    await more(100);
    cluster.restart(1);
    await cluster.ready(1);

    const [four, five] = [await joined(4), await joined(5)];
    expect(await replicas('add', four, five, '--execute')).toContain('majority of 5');
    await more(100);
    expect(await replicas('remove', '1', '2', '--execute')).toContain('majority of 3');
    const left = await get<ReplicasJson>(5, '/replicas');
    expect(left.replicas.map(({ id }) => id)).toEqual([3, 4, 5]);
    for (const id of [1, 2]) await cluster.kill(id);
    await more(100);
    await nothingIsLost();
    // It says why it gets no link any more.
    cluster.restart(2);
    await eventually('replica 2 is told', WITHIN_MS, () =>
      cluster.replica(2).child.lines.some((line) => line.includes('was removed from the cluster')),
    );
  }, 400_000);
});
