import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StatusJson } from '../../src/admin/index.js';
import type { Settings } from '../../src/app/settings.js';
import { Cluster, ROOT } from '../harness/cluster.js';
import { quorate } from '../harness/quorate-command.js';
import { SmallDisk } from '../harness/small-disk.js';
import { eventually } from '../harness/waiting.js';

const WITHIN_MS = 60_000;
const DISK_MIB = 48;
interface Finding {
  readonly severity: string;
  readonly replica: number | null;
  readonly what: string;
  readonly then: string;
}

let cluster: Cluster;
const disks = new Map<number, SmallDisk>();

/** What is told besides how busy this machine is. */
async function told(): Promise<{ readonly code: number | null; readonly findings: readonly Finding[] }> {
  const { code, text } = await quorate(cluster, 'doctor', '--json');
  // Behind the JSON stands the summary.
  const { findings } = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)) as {
    readonly findings: readonly Finding[];
  };
  return { code, findings: findings.filter(({ what }) => !/event loop|is slow/.test(what)) };
}
const tells = (text: RegExp): Promise<{ readonly code: number | null; readonly finding: Finding }> =>
  eventually(`doctor tells: ${text}`, WITHIN_MS, async () => {
    const { code, findings } = await told();
    const finding = findings.find(({ what }) => text.test(what));
    return finding !== undefined && { code, finding };
  });
const isWell = (): Promise<unknown> =>
  eventually('doctor finds nothing', WITHIN_MS, async () => (await told()).findings.length === 0);
const trouble = (id: number, of: object): void =>
  writeFileSync(
    cluster.replica(id).environment['TROUBLE_FILE']!,
    JSON.stringify({ clockMs: 0, syncMs: 0, hangs: false, ...of }),
  );
const settings = (id: number, change: Partial<Settings>): void => {
  const { configFile } = cluster.replica(id);
  writeFileSync(
    configFile,
    JSON.stringify({ ...(JSON.parse(readFileSync(configFile, 'utf8')) as Settings), ...change }),
  );
};
async function again(id: number, change: Partial<Settings>): Promise<void> {
  await cluster.replica(id).child.stop();
  settings(id, change);
  cluster.restart(id);
}

/** Commits, one after the other; an answer that does not come is no concern here. */
async function writeUntil(signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    offsets: [{ topic: 'work', partition: 0, offset: '1' }],
    execute: true,
  });
  const headers = { 'content-type': 'application/json' };
  for (let i = 0; !signal.aborted; i++)
    await fetch(`${cluster.replica(2).http}/groups/${'ab'[i % 2]}/offsets`, {
      ...{ method: 'POST', headers, body },
      signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]),
    }).catch(() => undefined);
}

describe('quorate doctor and status, on a cluster in a bad state', () => {
  beforeAll(async () => {
    cluster = await Cluster.start({
      settings: { shards: 2, compactionBytes: 1_048_576 },
      nodeFlags: ['--require', join(ROOT, 'test/torture/trouble.cjs')],
      environment: (id, dataDir) => {
        const disk = id === 1 ? SmallDisk.mount(dataDir, DISK_MIB) : undefined;
        if (disk !== undefined) disks.set(id, disk);
        const file = `${dataDir}.trouble`;
        writeFileSync(file, '{"clockMs":0,"syncMs":0,"hangs":false}');
        return { TROUBLE_FILE: file };
      },
    });
    await cluster.createTopic('work', 1);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(cluster.replicas.map(({ child }) => child.stop()));
    for (const disk of disks.values()) disk.unmount();
    await cluster.close();
  }, 60_000);

  it(
    'finds nothing when nothing is wrong, and says who leads and who may fail',
    async () => {
      await isWell();
      const { code, text } = await quorate(cluster, 'status');
      expect(code).toBe(0);
      expect(text).toMatch(/reserve: any one replica may fail\nleaders: replica \d leads shards? /);
    },
    WITHIN_MS,
  );

  it(
    'a clock that is ahead',
    async () => {
      trouble(2, { clockMs: 7_000 });
      const { code, finding } = await tells(
        /The clock of replica 2 is [67]\.\d s ahead of the time of the cluster/,
      );
      expect([code, finding]).toEqual([4, expect.objectContaining({ severity: 'warning', replica: 2 })]);
      trouble(2, {});
      await isWell();
    },
    3 * WITHIN_MS,
  );

  it(
    'a disk that is slow',
    async () => {
      trouble(3, { syncMs: 400 });
      // Doctor judges a disk by its last writes: they go on while it is asked.
      const ends = new AbortController();
      const writing = writeUntil(ends.signal);
      await eventually('doctor tells that it is slow', 2 * WITHIN_MS, async () => {
        const { code, text } = await quorate(cluster, 'doctor');
        return (
          code === 4 &&
          /The disk of replica 3 is slow: of its last \d+ writes half took up to (500 ms|[\d.]+ s)/.test(text)
        );
      });
      ends.abort();
      await writing;
      trouble(3, {});
    },
    3 * WITHIN_MS,
  );

  it(
    'a disk that is full',
    async () => {
      const disk = disks.get(1);
      if (disk === undefined)
        return console.warn('SKIPPED: a full disk needs a small one, and only root may mount it');
      disk.fill(16_384);
      const { finding } = await tells(/The disk of replica 1 is full \(.* of 48 MiB free\)/);
      expect(finding.then).toMatch(/^Make room/);
      const { text } = await quorate(cluster, 'status', '--url', cluster.replica(1).http);
      expect(text).toMatch(/disk: FULL, .* free: no proposals are taken here/);
      disk.makeRoom();
      await isWell();
    },
    3 * WITHIN_MS,
  );

  it(
    'a replica that was killed, and who may not fail now',
    async () => {
      await cluster.kill(3);
      const { code, finding } = await tells(
        /Replica 3 is down: replica [12] says: replica 3 cannot be reached at/,
      );
      expect([code, finding.then]).toEqual([4, expect.stringMatching(/^Start it on its own disk/)]);
      await tells(
        /With all replicas any 1 may fail\. Now: none: the cluster stops when one of replicas 1 and 2 fails\./,
      );
      const { text } = await quorate(cluster, 'status');
      expect(text).toMatch(/reserve: none: the cluster stops when one of replicas 1 and 2 fails/);
      cluster.restart(3);
      await isWell();
    },
    4 * WITHIN_MS,
  );

  it(
    'settings that differ: those that may, and those that part the replicas',
    async () => {
      await again(3, { sessionTimeoutMsMin: 2_000 });
      const { finding } = await tells(
        /sessionTimeoutMsMin differs: 1000 at replicas 1 and 2, 2000 at replica 3\./,
      );
      expect(finding.severity).toBe('warning');
      await again(3, { sessionTimeoutMsMin: 1_000, electionTimeoutMs: 400 });
      await tells(/Replicas [12] and 3 both run and have no link: .*electionTimeoutMs/);
      await again(3, { electionTimeoutMs: 300, handOverMs: 5_000 });
      await tells(/Settings of replica 3 do not fit together: shutdownTimeoutMs is 10000/);
      await again(3, { handOverMs: 2_000 });
      await isWell();
    },
    6 * WITHIN_MS,
  );

  it(
    'a replica that lost its disk, and then a quorum that is gone',
    async () => {
      await cluster.kill(2);
      rmSync(cluster.replica(2).dataDir, { recursive: true });
      cluster.restart(2);
      const { finding } = await tells(/Replica 2 has lost its data directory.* does not vote/);
      expect(finding.severity).toBe('warning');
      await tells(/Now: none: the cluster stops when one of replicas 1 and 3 fails/);
      await cluster.kill(3);
      const lost = await tells(/There is no quorum \(majority of 3\): replicas? .*3.* not vote/);
      expect(lost.code).toBe(1);
      const { text } = await quorate(cluster, 'status');
      expect(text).toMatch(/reserve: no quorum: nothing is taken/);
    },
    4 * WITHIN_MS,
  );

  it(
    'nobody',
    async () => {
      const answer = await quorate(cluster, 'doctor', '--url', cluster.replica(3).http);
      expect(answer).toMatchObject({
        code: 3,
        text: expect.stringMatching(/no replica answers:\n.*: connect ECONNREFUSED/) as unknown,
      });
      const status = (await (await fetch(`${cluster.replica(1).http}/status`)).json()) as StatusJson;
      expect(status).toMatchObject({ failuresTolerated: -1, needed: [] });
    },
    WITHIN_MS,
  );

  it(
    'a reader that has had enough ends a dump, and is no error',
    async () => {
      await cluster.replica(1).child.stop();
      const { dataDir } = cluster.replica(1);
      const { status, stdout, stderr } = spawnSync(
        'sh',
        ['-c', `"${process.execPath}" dist/bin.js dump "${dataDir}" | head -1`],
        { cwd: ROOT, encoding: 'utf8' },
      );
      expect([status, stdout, stderr]).toEqual([0, expect.stringMatching(/^replica 1 of cluster /), '']);
    },
    WITHIN_MS,
  );
});
