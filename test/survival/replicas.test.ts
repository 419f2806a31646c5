import { afterEach, expect, it } from '@jest/globals';
import type { ReplicasJson, StatusJson } from '../../src/admin/shapes.js';
import { Cluster } from '../harness/cluster.js';
import { CommitLoad } from '../harness/commit-load.js';
import { quorate } from '../harness/quorate-command.js';
import { eventually, sleep } from '../harness/waiting.js';

const WITHIN_MS = 120_000;
/** How long it goes on; 10 minutes are for a machine of its own. */
const MINUTES = Number(process.env['SURVIVAL_MINUTES'] ?? 1);
/** From the third on no replica is left of those that the settings of a new one name. */
const ROUNDS_MIN = 3;

let cluster: Cluster;
let load: CommitLoad;
afterEach(async () => {
  await load.stop();
  await cluster.close();
}, 60_000);

/** As any replica of the cluster that answers says. */
function now(): Promise<ReplicasJson> {
  return eventually('a replica answers', WITHIN_MS, async () => {
    for (const { http, child } of cluster.replicas) {
      if (!child.running) continue;
      const response = await fetch(`${http}/replicas`, { signal: AbortSignal.timeout(2_000) }).catch(
        () => undefined,
      );
      if (response?.ok !== true) continue;
      return (await response.json()) as ReplicasJson;
    }
    return undefined;
  });
}

async function begin(...args: readonly string[]): Promise<void> {
  await eventually(`quorate replicas ${args.join(' ')}`, WITHIN_MS, async () => {
    const { code, text } = await quorate(cluster, 'replicas', ...args, '--execute', '--no-wait');
    if (code === 0 || text.includes('under way')) return true;
    return text.includes('no quorum') || text.includes('down or lags') || code === 3
      ? false
      : Promise.reject(new Error(text));
  });
}

async function killed(ids: readonly number[], round: number): Promise<void> {
  const victim = ids[round % ids.length]!;
  await sleep(100 * (round % 7));
  await cluster.kill(victim);
  await sleep(50 * (round % 5));
  cluster.restart(victim);
}

async function ended(ids: readonly number[]): Promise<void> {
  await eventually(`the replicas are ${ids.join(', ')}`, WITHIN_MS, async () => {
    const { plan, replicas } = await now();
    return plan === null && replicas.map(({ id }) => id).join() === ids.join();
  });
}

it(
  'three replicas become five, and the others three again, round after round, while one is killed during each change',
  async () => {
    cluster = await Cluster.start();
    await cluster.createTopic('work', 1);
    load = new CommitLoad(cluster, 16);
    load.start();
    const end = performance.now() + MINUTES * 60_000;
    let members = [1, 2, 3];
    let next = 4;
    let round = 0;
    do {
      const added = [next++, next++];
      const addresses: string[] = [];
      for (const id of added) {
        const { kafka, http } = await cluster.join(id);
        const { addresses: own } = await eventually(`replica ${id} answers`, WITHIN_MS, async () => {
          const response = await fetch(`${http}/status`).catch(() => undefined);
          return response?.ok === true ? ((await response.json()) as StatusJson) : undefined;
        });
        addresses.push(`${id}@127.0.0.1:${own.peers.split(':').at(-1)}:${kafka.port}:${new URL(http).port}`);
      }
      await begin('add', ...addresses);
      await killed(members, round);
      const five = [...members, ...added];
      await ended(five);
      for (const id of five) await cluster.ready(id);
      const gone = five.slice(0, 2);
      await begin('remove', ...gone.map(String));
      members = five.slice(2);
      await killed(members, round);
      await ended(members);
      for (const id of gone) await cluster.kill(id);
      expect(load.failures).toEqual([]);
      round++;
    } while (round < ROUNDS_MIN || performance.now() < end);
    for (const id of members) await cluster.ready(id);
    await load.stop();
    console.info(`${round} rounds, ${load.count} commits, the longest took ${Math.round(load.longestMs)} ms`);
    expect(load.failures).toEqual([]);
    expect(await load.missing()).toEqual([]);
  },
  (MINUTES + 9) * 60_000,
);
