import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { within } from '../harness/waiting.js';

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.replica(1).child.kill();
  await cluster?.close();
});

describe.each(['json', 'line'] as const)('a replica whose log nobody reads any more, as %s', (logFormat) => {
  async function unread(): Promise<{ child: Cluster['replicas'][number]['child']; http: string }> {
    cluster = await Cluster.start({ replicas: 1, settings: { logFormat } });
    const { child, http } = cluster.replica(1);
    child.closeOutput();
    return { child, http };
  }
  const stopped = (child: { stop(graceMs: number): Promise<number | null> }): Promise<number | null> =>
    within('it stops', 60_000, child.stop(45_000));

  it('stops when it is asked to, and has something to say about it', async () => {
    const { child } = await unread();
    expect(await stopped(child)).toBe(0);
  }, 180_000);

  it('goes on after it has said something', async () => {
    const { child, http } = await unread();
    const made = await fetch(`${http}/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'tenants', partitions: 2 }),
    });
    expect(made.ok).toBe(true);
    expect((await fetch(`${http}/health/ready`)).status).toBe(200);
    expect(await stopped(child)).toBe(0);
  }, 180_000);
});
