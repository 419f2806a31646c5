import { afterEach, beforeAll, expect } from '@jest/globals';
import type { StatusJson } from '../../src/admin/index.js';
import { QuorateContainer, type StartedQuorateContainer } from '../../src/app/testing/container/index.js';
import { eventually } from '../harness/waiting.js';
import {
  BUILD_MS_MAX,
  buildImage,
  describeWithDocker,
  engine,
  IMAGE,
  startQuorate,
  ROOT,
  it,
  TEST_MS_MAX,
  STEP_MS_MAX,
} from './docker.js';

const DATA = '/var/lib/quorate';
const HOUR_MS = 3_600_000;

describeWithDocker('disk and clock of a container', () => {
  const finish: (() => Promise<unknown>)[] = [];
  beforeAll(buildImage, BUILD_MS_MAX);
  afterEach(async () => {
    for (const step of finish.splice(0).reverse()) await step();
  }, TEST_MS_MAX);

  async function started(container: QuorateContainer): Promise<StartedQuorateContainer> {
    const quorate = await startQuorate(container);
    finish.push(() => quorate.stop());
    return quorate;
  }
  const urlOf = (quorate: StartedQuorateContainer, id: number): string => quorate.getHttpUrls()[id - 1]!;
  /** Sets an offset at one replica; the status it answers with. */
  async function commit(url: string, group: string, offset: number): Promise<number> {
    const response = await fetch(`${url}/groups/${group}/offsets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        offsets: [{ topic: 'jobs', partition: 0, offset: String(offset) }],
        execute: true,
      }),
      signal: AbortSignal.timeout(10_000),
    });
    await response.text();
    return response.status;
  }
  async function committed(url: string, group: string): Promise<{ offset: string; committedAt: string }> {
    const response = await fetch(`${url}/groups/${group}/offsets`);
    return ((await response.json()) as { offsets: { offset: string; committedAt: string }[] }).offsets[0]!;
  }

  it('a volume that is full: commits are refused, what was acknowledged stays, and with room again they are taken by the same process', async () => {
    const quorate = await started(
      new QuorateContainer(IMAGE).withReplicaContainer((container) => {
        container.withTmpFs({ [DATA]: 'rw,size=64m,uid=10001,gid=10001,mode=0700' });
      }),
    );
    const url = urlOf(quorate, 1);
    await quorate.createTopic('jobs');
    expect(await commit(url, 'billing', 1)).toBe(200);
    const run = (script: string) => quorate.getReplica(1).exec(['node', '-e', script]);
    const fill = `
        const fs = require('node:fs'), file = fs.openSync('${DATA}/ballast', 'w');
        try { for (;;) fs.writeSync(file, Buffer.alloc(65536)); } catch (error) { console.log(error.code); }`;
    expect((await run(fill)).output).toContain('ENOSPC');

    let acknowledged = 1;
    await eventually('commits are refused', STEP_MS_MAX, async () => {
      const status = await commit(url, 'billing', acknowledged + 1);
      if (status === 200) acknowledged++;
      return status === 503;
    });
    expect(Number((await committed(url, 'billing')).offset)).toBe(acknowledged);
    await run(`require('node:fs').rmSync('${DATA}/ballast')`);
    await eventually(
      'commits are taken',
      STEP_MS_MAX,
      async () => (await commit(url, 'billing', 1_000)) === 200,
    );
    expect((await committed(url, 'billing')).offset).toBe('1000');
    expect((await quorate.logs()).filter((line) => line.includes('Kafka clients: '))).toHaveLength(1);
  });

  it('two containers on one volume: the second does not start while the first lives, and takes over when it is dead', async () => {
    const docker = await engine();
    const volume = await docker.createVolume({});
    const quorate = await started(
      new QuorateContainer(IMAGE).withReplicaContainer((container) => {
        container.withBindMounts([{ source: volume.name, target: DATA, mode: 'rw' }]);
      }),
    );
    await quorate.createTopic('jobs');
    expect(await commit(urlOf(quorate, 1), 'billing', 7)).toBe(200);
    const { Config, HostConfig } = await docker.getContainer(quorate.getReplica(1).getId()).inspect();
    // The same replica once more: a container of its own, with process ids and a network of its own.
    const twin = await docker.createContainer({
      Image: IMAGE,
      Env: Config.Env,
      ExposedPorts: { '8081/tcp': {} },
      HostConfig: { Binds: HostConfig.Binds ?? [], PortBindings: { '8081/tcp': [{ HostPort: '' }] } },
    });
    finish.push(async () => {
      await quorate.stop();
      await twin.remove({ force: true });
      await volume.remove();
    });
    await twin.start();
    expect(((await twin.wait()) as { StatusCode: number }).StatusCode).not.toBe(0);
    const said = (await twin.logs({ stdout: true, stderr: true, follow: false })).toString();
    expect(said).toMatch(/in use by/);
    expect((await fetch(`${urlOf(quorate, 1)}/health/ready`)).status).toBe(200);

    await quorate.killReplica(1);
    await twin.start();
    const port = (await twin.inspect()).NetworkSettings.Ports['8081/tcp']![0]!.HostPort;
    const found = await eventually('the twin serves what the first one took', STEP_MS_MAX, () =>
      committed(`http://127.0.0.1:${port}`, 'billing').catch(() => undefined),
    );
    expect(found.offset).toBe('7');
  });

  it('a clock that is an hour ahead: the replica is named, and the time of its commits is that of the others', async () => {
    const quorate = await started(
      new QuorateContainer(IMAGE).withReplicas(3).withReplicaContainer((container, id) => {
        if (id !== 1) return;
        container
          .withBindMounts([{ source: `${ROOT}test/torture/trouble.cjs`, target: '/trouble.cjs', mode: 'ro' }])
          .withEnvironment({
            NODE_OPTIONS: '--require /trouble.cjs',
            TROUBLE_FILE: `${DATA}/trouble.json`,
          });
      }),
    );
    await quorate.createTopic('jobs');
    const set = `require('node:fs').writeFileSync('${DATA}/trouble.json', '{"clockMs":${HOUR_MS}}')`;
    expect((await quorate.getReplica(1).exec(['node', '-e', set])).exitCode).toBe(0);
    await eventually('its peers say by how much it is ahead', STEP_MS_MAX, async () => {
      const { clocks } = (await (await fetch(`${urlOf(quorate, 2)}/status`)).json()) as StatusJson;
      const aheadMs = clocks.find(({ id }) => id === 1)?.aheadMs ?? 0;
      return Math.abs(aheadMs - HOUR_MS) < 60_000;
    });
    // It leads some shards again after a while: leadership returns slowly.
    const group = await eventually('the wrong clock coordinates a group', STEP_MS_MAX, async () => {
      for (let number = 0; number < 24; number++) {
        const name = `group-${number}`;
        // Before its first commit there is no such group.
        expect(await commit(urlOf(quorate, 2), name, 1)).toBe(200);
        if ((await quorate.coordinatorOf(name)) === 1) return name;
      }
      return undefined;
    });
    const { committedAt } = await committed(urlOf(quorate, 2), group);
    expect(Math.abs(Date.parse(committedAt) - Date.now())).toBeLessThan(HOUR_MS / 2);
  });
});
