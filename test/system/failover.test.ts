import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { FailoverScene } from '../harness/failover.js';

describe('three real processes', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 60_000);
  afterAll(() => cluster.close(), 30_000);

  it('lose their leader twice: no acknowledged commit, no member and no generation is lost', async () => {
    const scene = new FailoverScene(cluster, 'system-failover');
    await scene.begin();
    try {
      for (let round = 0; round < 2; round++) {
        const { gapMs } = await scene.round();
        expect(gapMs).toBeLessThan(5_000);
      }
    } catch (error) {
      cluster.printLogs();
      throw error;
    } finally {
      await scene.end();
    }
  }, 90_000);
});
