import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StartedQuorateContainer } from 'quorate/testing/container';
import { eventually, Instances } from './instances.js';

/** For example: npm install --no-save testcontainers && QUORATE_IMAGE=quorate npm test */
const image = process.env['QUORATE_IMAGE'];
const skip = image === undefined && 'QUORATE_IMAGE names no image, built from docker/Dockerfile';

describe('against the image, in containers', { skip }, () => {
  let quorate: StartedQuorateContainer;
  let instances: Instances;
  before(async () => {
    const { QuorateContainer } = await import('quorate/testing/container');
    quorate = await new QuorateContainer(image!).withReplicas(3).start();
    instances = await Instances.open();
  });
  after(async () => {
    await instances.stop();
    await quorate.stop();
  });

  it('work goes on when the coordinator is killed, and when it is back', async () => {
    await instances.start('outside', quorate.brokers);
    const position = async (): Promise<number> =>
      (await instances.accounts.find('tenant-0'))?.value.position ?? 0;
    const charged = async (): Promise<void> => {
      const from = await position();
      await eventually('the tenant is charged', async () => (await position()) > from + 2);
    };
    await charged();
    const owners = await quorate.ownersOf('billing');
    assert.deepEqual([...new Set(owners.map(({ clientId }) => clientId))], ['outside']);

    const killed = (await quorate.coordinatorOf('billing'))!;
    await quorate.killReplica(killed);
    await charged();
    await quorate.restartReplica(killed);
    await charged();
    // The same leases: nobody was given anything.
    const tokens = (list: typeof owners): unknown[] => list.map(({ partition, token }) => [partition, token]);
    assert.deepEqual(tokens(await quorate.ownersOf('billing')), tokens(owners));
  });
});
