import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestCluster, type TestCluster } from 'quorate/testing';
import { PartitionWorkers } from 'quorate/worker/nest';
import { Prices } from '../src/jobs.js';
import { eventually, type Instance, Instances } from './instances.js';

/** Answers when the test says so. */
class SlowPrices extends Prices {
  asked = 0;
  private readonly answers: (() => void)[] = [];
  override async of(tenant: string): Promise<number> {
    this.asked++;
    await new Promise<void>((resolve) => this.answers.push(resolve));
    return super.of(tenant);
  }
  answer(): void {
    for (const resolve of this.answers.splice(0)) resolve();
  }
}

describe('on virtual time', () => {
  let cluster: TestCluster;
  let instances: Instances;
  before(async () => {
    cluster = await startTestCluster({ clock: 'virtual' });
    instances = await Instances.open();
  });
  after(async () => {
    await instances.stop();
    await cluster.stop();
  });

  /** Joining waits for time, which passes here alone. */
  async function start(clientId: string, prices?: Prices): Promise<Instance> {
    const starting = instances.start(clientId, cluster.brokers, {
      sessionTimeoutMs: 45_000,
      ...(prices === undefined ? {} : { prices }),
    });
    await cluster.waitForStable('billing', { members: 1 });
    return starting;
  }

  it('a paused instance, whose session of 45 s has ended, writes nothing any more', async () => {
    const prices = new SlowPrices();
    const zombie = await start('zombie', prices);
    await eventually('it has read an account, and asks for a price', () => prices.asked > 0);
    const errors: string[] = [];
    zombie.app
      .get(PartitionWorkers)
      .worker()
      .on('error', ({ error }) => errors.push(error.name));

    // Nothing of it arrives any more: its session ends, in milliseconds.
    cluster.pauseWorker('zombie');
    await cluster.advance(46_000);
    const next = await start('next');
    await eventually('the next instance charges', async () => {
      const account = await instances.accounts.find('tenant-0');
      return account !== undefined && account.value.position > 3;
    });

    // By the clock of its machine only moments have passed: it still takes itself for the owner. The stores know better.
    assert.equal(zombie.app.get(PartitionWorkers).owned().length, 4);
    prices.answer();
    await eventually('its write is refused', () => errors.includes('StaleEpochError'));

    await next.app.close();
    for (let partition = 0; partition < 4; partition++) {
      const { balance, position } = (await instances.accounts.read(`tenant-${partition}`)).value;
      assert.equal(balance, 3 * position);
    }
    cluster.resumeWorker('zombie');
  });
});
