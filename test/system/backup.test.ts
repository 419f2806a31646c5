import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FencesJson, OffsetsJson } from '../../src/admin/shapes.js';
import { Cluster } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { quorate } from '../harness/quorate-command.js';
import { eventually } from '../harness/waiting.js';

const GROUPS = Array.from({ length: 4 }, (_, index) => `group-${index}`);
/** Patient: leaders are to change when the test says so, also on a machine that is busy with other tests. */
const SETTINGS = { electionTimeoutMs: 1_500, leaseMs: 1_500, heartbeatIntervalMs: 150 };

let directory: string;
let clusters: Cluster[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-backup-'));
});
afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.close()));
  clusters = [];
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

const start = async (options: Parameters<typeof Cluster.start>[0]): Promise<Cluster> => {
  const cluster = await Cluster.start({ settings: SETTINGS, ...options });
  clusters.push(cluster);
  return cluster;
};
const member = (cluster: Cluster, group: string): GroupMember =>
  new GroupMember({ bootstrap: cluster.bootstrap, group, topic: 'tenants', partitions: 4 });
const get = <T>(cluster: Cluster, path: string): Promise<T> =>
  eventually(`${path} is answered`, 30_000, async () => {
    const response = await fetch(`${cluster.replicas[0]!.http}/${path}`);
    return response.ok && ((await response.json()) as T);
  });

/** Offsets of all groups, and a record: what must be the same afterwards. */
async function facts(cluster: Cluster): Promise<unknown> {
  const offsets = [];
  for (const group of GROUPS) {
    const found = await get<OffsetsJson>(cluster, `groups/${group}/offsets`);
    offsets.push(
      found.offsets.map(({ topic, partition, offset, end }) => ({ topic, partition, offset, end })),
    );
  }
  const record = await get<object>(cluster, 'records/bank/account');
  return { offsets, record };
}
const tokens = async (cluster: Cluster, group: string): Promise<readonly number[]> =>
  (await get<FencesJson>(cluster, `groups/${group}/fences`)).fences.map(({ token }) => Number(token));

const jsonOf = <T>({ text }: { readonly text: string }): T => JSON.parse(text) as T;

describe('a cluster that is backed up, lost and restored', () => {
  it.each([1, 3])(
    'goes on as a new one of %i, with its offsets and records, and refuses who was a member before',
    async (replicas) => {
      const old = await start({});
      await old.createTopic('tenants', 4);
      for (const [index, group] of GROUPS.entries())
        expect(
          (
            await quorate(
              old,
              'offsets',
              'set',
              group,
              'tenants',
              `0=${index}`,
              '1=9007199254740993',
              '--execute',
            )
          ).code,
        ).toBe(0);
      await eventually('the record is there', 30_000, async () => {
        const { status } = await fetch(`${old.replicas[0]!.http}/records/bank/account`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json', 'if-none-match': '*' },
          body: JSON.stringify({ balance: '12' }),
        });
        return status === 201 || status === 412;
      });
      const worker = member(old, GROUPS[0]!);
      await worker.start();
      expect(await worker.commit(0, 77)).toBe(0);
      const before = await facts(old);
      const given = await eventually('tokens are given', 30_000, async () => {
        const found = await tokens(old, GROUPS[0]!);
        return found.length === 4 && found;
      });

      // A replica ends while the backup is written: its shards move.
      const file = join(directory, 'backup');
      const backup = quorate(old, 'backup', file, '--json');
      await old.kill(3);
      const done = await backup;
      expect([done.code, done.text]).toEqual([0, expect.stringContaining('"sha256"')]);
      const { memberId, generation } = worker;
      await worker.abandon();
      for (const { id } of old.replicas.slice(0, 2)) await old.kill(id);

      const clusterId = randomBytes(32)
        .toString('base64url')
        .replace(/[^A-Za-z0-9]/g, 'x')
        .slice(0, 22);
      let at: string | undefined;
      const prepare = async (dataDir: string, id: number): Promise<void> => {
        const begins = at === undefined ? [] : ['--at', at];
        const named = ['--data', dataDir, '--replica-id', String(id), '--cluster-id', clusterId, ...begins];
        const made = await quorate(old, 'restore', file, ...named, '--json');
        expect(made.code).toBe(0);
        at = jsonOf<{ readonly at: string }>(made).at;
      };
      const fresh = await start({ replicas, clusterId, prepare });
      expect(await facts(fresh)).toEqual(before);
      // UNKNOWN_MEMBER_ID
      const stale = Object.assign(member(fresh, GROUPS[0]!), { memberId, generation });
      expect(await stale.commit(0, 1)).toBe(25);
      const next = member(fresh, GROUPS[0]!);
      await next.start();
      const later = await eventually('new tokens are given', 30_000, async () => {
        const found = await tokens(fresh, GROUPS[0]!);
        return found.length === 4 && found;
      });
      expect(Math.min(...later)).toBeGreaterThan(Math.max(...given));
      expect(next.generation).toBeGreaterThan(generation);
      expect(await next.commit(0, 78)).toBe(0);
      await next.leave();
    },
    180_000,
  );

  it('does not form of a restored replica and empty ones', async () => {
    const old = await start({ replicas: 1 });
    const file = join(directory, 'backup');
    expect((await quorate(old, 'backup', file)).code).toBe(0);
    const clusterId = 'AAAAAAAAAAAAAAAAAAAAAA';
    const data = join(directory, 'restored');
    expect((await quorate(old, 'restore', file, '--data', data, '--cluster-id', clusterId)).code).toBe(0);
    const { replica, said } = await restoredAmongEmpty(data, clusterId);
    expect(said).toContain('do not begin with the same: restore the same backup on every replica');
    expect((await fetch(`${replica}/health/ready`)).status).toBe(503);
  }, 120_000);
});

/** Three replicas of which the first begins with what was restored, and the others with nothing. */
async function restoredAmongEmpty(
  data: string,
  clusterId: string,
): Promise<{ readonly replica: string; readonly said: string }> {
  const prepare = (dataDir: string, id: number): Promise<void> => {
    if (id === 1) cpSync(data, dataDir, { recursive: true });
    return Promise.resolve();
  };
  const cluster = await Cluster.launched({ settings: SETTINGS, clusterId, prepare });
  clusters.push(cluster);
  const [first] = cluster.replicas;
  const said = await eventually('it says why it does not form', 60_000, () =>
    Promise.resolve(first!.child.lines.find((line) => line.includes('do not begin'))),
  );
  return { replica: first!.http, said };
}
