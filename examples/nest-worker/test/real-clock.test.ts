import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTestCluster, type TestCluster } from 'quorate/testing';
import { PartitionWorkers } from 'quorate/worker/nest';
import { Prices } from '../src/jobs.js';
import { eventually, Instances } from './instances.js';

const PARTITIONS = 4;
const TENANTS = Array.from({ length: PARTITIONS }, (_, partition) => `tenant-${partition}`);

/** Counts what was asked. */
class CountedPrices extends Prices {
  readonly asked = new Map<string, number>();
  override of(tenant: string): Promise<number> {
    this.asked.set(tenant, (this.asked.get(tenant) ?? 0) + 1);
    return super.of(tenant);
  }
}

describe('on the clock of the machine', () => {
  let cluster: TestCluster;
  let instances: Instances;
  before(async () => {
    cluster = await startTestCluster({ replicas: 3 });
    instances = await Instances.open();
  });
  after(async () => {
    await instances.stop();
    await cluster.stop();
  });

  /** Every tenant has been charged since now. */
  async function charges(): Promise<void> {
    const positions = (): Promise<number[]> =>
      Promise.all(TENANTS.map(async (id) => (await instances.accounts.find(id))?.value.position ?? 0));
    const from = await positions();
    await eventually('every tenant is charged', async () =>
      (await positions()).every((position, at) => position > from[at]! + 2),
    );
  }

  it('two instances share the tenants; one ends, and each job was charged once', async () => {
    const prices = new CountedPrices();
    const first = await instances.start('first', cluster.brokers, { prices });
    const second = await instances.start('second', cluster.brokers, { prices });
    await eventually('both have a half', () =>
      [first, second].every(({ app }) => app.get(PartitionWorkers).owned().length === PARTITIONS / 2),
    );
    await charges();
    const health = (await (await fetch(`${first.url}/health`)).json()) as {
      info: { workers: { billing: { owned: number } } };
    };
    assert.equal(health.info.workers.billing.owned, PARTITIONS / 2);

    await second.app.close();
    await eventually('the first has all', () =>
      cluster.ownersOf('billing').every(({ clientId }) => clientId === 'first'),
    );
    await charges();
    await first.app.close();
    for (const id of TENANTS) {
      const { balance, position } = (await instances.accounts.read(id)).value;
      assert.equal(prices.asked.get(id), position, `${id}: a job was begun again`);
      assert.equal(balance, 3 * position);
      assert.equal((await instances.totals.read(id)).value.balance, balance);
    }
  });

  it('a killed coordinator takes no lease away', async () => {
    const { app } = await instances.start('third', cluster.brokers);
    await charges();
    const before = app.get(PartitionWorkers).owned();
    const killed = cluster.coordinatorOf('billing')!;
    await cluster.killReplica(killed);
    await charges();
    assert.deepEqual(app.get(PartitionWorkers).owned(), before);
    await cluster.restartReplica(killed);
    await app.close();
  });

  it('SIGTERM drains: the process leaves the group and ends with 0', async () => {
    const main = fileURLToPath(new URL('../src/main.js', import.meta.url));
    const env = { ...process.env, PORT: '0', BROKERS: cluster.getBootstrapServers(), CLIENT_ID: 'process' };
    const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    for await (const line of createInterface(child.stdout)) if (line.includes('listening at')) break;
    assert.equal(cluster.ownersOf('billing').length, PARTITIONS);
    child.stdout.resume();
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.deepEqual(cluster.ownersOf('billing'), []);
  });
});
