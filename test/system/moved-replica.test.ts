import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StatusJson } from '../../src/admin/shapes.js';
import type { Settings } from '../../src/app/settings.js';
import { Cluster } from '../harness/cluster.js';
import { eventually } from '../harness/waiting.js';

/** As another machine: all of 127.0.0.0/8 is this one. */
const ELSEWHERE = '127.0.0.2';
const WITHIN_MS = 90_000;

/** docs/operations.md#from-one-machine-to-three */
describe('a replica that moves to another machine with its directory', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 90_000);
  afterAll(() => cluster.close(), 60_000);

  const url = (id: number): string =>
    cluster.replica(id).http.replace('127.0.0.1', id === 3 ? ELSEWHERE : '127.0.0.1');
  async function get<T>(id: number, path: string): Promise<T | undefined> {
    const response = await fetch(`${url(id)}${path}`).catch(() => undefined);
    return response?.ok === true ? ((await response.json()) as T) : undefined;
  }
  const ready = (id: number): Promise<unknown> =>
    eventually(`replica ${id} is ready`, WITHIN_MS, () => get(id, '/health/ready'));
  async function stop(id: number): Promise<void> {
    cluster.replica(id).child.signal('SIGTERM');
    expect(await cluster.replica(id).child.exited).toBe(0);
  }
  /** Its settings say where replica 3 is now. */
  function change(id: number, more: Partial<Settings> = {}): void {
    const { configFile } = cluster.replica(id);
    const settings = JSON.parse(readFileSync(configFile, 'utf8')) as Settings;
    const replicas = settings.replicas.map((each) => (each.id === 3 ? { ...each, host: ELSEWHERE } : each));
    writeFileSync(configFile, JSON.stringify({ ...settings, ...more, replicas }));
  }

  it('is reached there once the others were started again with its new host, with its vote and all that was committed', async () => {
    await cluster.createTopic('tenants', 4);
    const offsets = [{ topic: 'tenants', partition: 0, offset: '7' }];
    const { status } = await fetch(`${url(1)}/groups/billing/offsets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ offsets, execute: true }),
    });
    expect(status).toBe(200);

    await stop(3);
    const { dataDir } = cluster.replica(3);
    cpSync(dataDir, `${dataDir}-moved`, { recursive: true });
    rmSync(dataDir, { recursive: true });
    change(3, { dataDir: `${dataDir}-moved` });
    cluster.restart(3);
    for (const id of [1, 2]) {
      await stop(id);
      change(id);
      cluster.restart(id);
      await ready(id);
    }
    await ready(3);
    await eventually('the other two see its vote', WITHIN_MS, async () => {
      const seen = await Promise.all([1, 2].map((id) => get<StatusJson>(id, '/status')));
      return seen.every((each) => each?.peers.every(({ up, votes }) => up && votes));
    });
    const kept = await get<{ offsets: { offset: string }[] }>(3, '/groups/billing/offsets');
    expect(kept?.offsets.map(({ offset }) => offset)).toEqual(['7']);
  }, 240_000);
});
