import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OffsetsJson } from '../../src/admin/index.js';
import { Cluster } from '../harness/cluster.js';
import { CountingWorkers } from '../harness/counting-workers.js';
import { freePorts } from '../harness/tcp-ports.js';
import { BusyMachine, IDLE_MS_MAX } from '../harness/idle-bounds.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { eventually, sleep } from '../harness/waiting.js';

const GROUP = 'fleet';
const TOPIC = 'tenants';
const WORKERS = 10;
const PARTITIONS = 30;
const REBALANCES = 50;
const SESSION_MS = 6_000;
const HEARTBEAT_MS = 500;
const TIMES = { sessionMs: SESSION_MS, heartbeatMs: HEARTBEAT_MS };
/** For what is not measured: it ends a test that hangs. */
const HAND_OVER_MS = 60_000;
const CUT_MS = 20_000;

describe('ten workers in ten processes', () => {
  let cluster: Cluster;
  let proxies: readonly TcpProxy[] = [];
  let workers: CountingWorkers;
  const figures: string[] = [];

  beforeAll(async () => {
    const ports = await freePorts(3);
    proxies = await Promise.all(ports.map((port) => TcpProxy.open(port)));
    const kafka = proxies.map(({ port }) => `127.0.0.1:${port}`);
    cluster = await Cluster.start({
      settingsOf: (id) => ({ listeners: [{ name: 'proxied', kafkaListenPort: ports[id - 1]!, kafka }] }),
    });
    await cluster.createTopic(TOPIC, PARTITIONS);
    workers = new CountingWorkers(TOPIC, PARTITIONS, {
      brokers: kafka,
      group: GROUP,
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: HEARTBEAT_MS,
    });
  }, 120_000);
  afterAll(async () => {
    workers.killAll();
    await cluster.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    console.info(figures.join('\n'));
  }, 60_000);

  const machine = new BusyMachine();
  /** From now on every partition is written to within the stated bound. */
  const works = async (what: string, boundMs: number): Promise<void> => {
    machine.begin();
    const took = Math.round(await workers.judge.works(boundMs + HAND_OVER_MS));
    const allowance = Math.round(machine.allowanceMs);
    figures.push(`${what}: every partition is written to ${took} ms later, of ${boundMs} (and ${allowance})`);
    expect(took).toBeLessThanOrEqual(boundMs + allowance);
    expect(workers.judge.violations).toEqual([]);
  };

  it('share the partitions', async () => {
    await Promise.all(Array.from({ length: WORKERS }, (_, i) => workers.start(`w${i}`)));
    await eventually('each has as many as the others', HAND_OVER_MS, () =>
      [...workers.judge.owns.values()].every((count) => count === PARTITIONS / WORKERS),
    );
  }, 120_000);

  it('take over from one that is killed', async () => {
    workers.running.get('w0')!.kill('SIGKILL');
    await works('kill -9 of one', IDLE_MS_MAX.killed());
  }, 120_000);

  it('take over from one that is stopped for longer than its session, and refuse what it writes when it goes on', async () => {
    const stopped = workers.running.get('w1')!;
    stopped.kill('SIGSTOP');
    await works('SIGSTOP of one', IDLE_MS_MAX.silence(TIMES));
    stopped.kill('SIGCONT');
    await eventually('it owns partitions again', HAND_OVER_MS, () => workers.judge.owns.get('w1') === 3);
    await works('its SIGCONT', IDLE_MS_MAX.cleanLeave(TIMES));
  }, 120_000);

  it('hand over what one that leaves had', async () => {
    const leaving = workers.stop('w2');
    await works('a clean leave', IDLE_MS_MAX.cleanLeave(TIMES));
    await leaving;
  }, 120_000);

  it('go on when all replicas were killed and started again', async () => {
    await Promise.all(cluster.replicas.map(({ id }) => cluster.kill(id)));
    const lost = (): boolean =>
      [...workers.running.keys()].every((name) => workers.judge.owns.get(name) === 0);
    await eventually('everything is lost', SESSION_MS + HAND_OVER_MS, lost);
    await cluster.mend();
    await works('a kill of all replicas, of a session, after they are back', IDLE_MS_MAX.comeback(TIMES));
  }, 180_000);

  it('go on after 20 s without a network', async () => {
    for (const proxy of proxies) proxy.freeze();
    await sleep(CUT_MS);
    for (const name of workers.running.keys())
      expect([name, workers.judge.owns.get(name)]).toEqual([name, 0]);
    for (const proxy of proxies) proxy.thaw();
    await works('20 s without a network, after it is back', IDLE_MS_MAX.comeback(TIMES));
  }, 120_000);

  it(`take ${REBALANCES} joins and leaves in a row`, async () => {
    const since = performance.now();
    await workers.rejoin('w1', REBALANCES / 2);
    const each = Math.round((performance.now() - since) / REBALANCES);
    figures.push(`${REBALANCES} joins and leaves in a row, ${each} ms each`);
    await works('the last of them', IDLE_MS_MAX.cleanLeave(TIMES));
  }, 300_000);

  it('have lost no commit that has resolved', async () => {
    await Promise.all([...workers.running.keys()].map((name) => workers.stop(name)));
    const { committed, violations } = workers.judge;
    const response = await fetch(`${cluster.replica(1).http}/groups/${GROUP}/offsets`);
    const { offsets } = (await response.json()) as OffsetsJson;
    const kept = new Map(offsets.map(({ partition, offset }) => [partition, BigInt(offset)]));
    expect(committed.size).toBe(PARTITIONS);
    for (const [partition, position] of committed)
      expect(kept.get(partition) ?? -1n).toBeGreaterThanOrEqual(position);
    expect(violations).toEqual([]);
  }, 90_000);
});
