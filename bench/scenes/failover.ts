import { FailoverScene } from '../../test/harness/failover.js';
import { median } from '../../test/harness/waiting.js';
import { type SceneContext, startCluster } from './load.js';

const ROUNDS = 9;

/** SIGKILL of the leader while two members commit without pause, default settings. */
export async function benchFailover({ report }: SceneContext): Promise<void> {
  report.title(`Failover: kill -9 of the leader, ${ROUNDS} times`);
  const cluster = await startCluster();
  const scene = new FailoverScene(cluster, 'bench-failover');
  try {
    await scene.begin();
    const gaps: number[] = [];
    for (let i = 0; i < ROUNDS; i++) gaps.push((await scene.round()).gapMs);
    report.add({
      name: 'kill to the next acknowledged commit: median',
      value: median(gaps),
      unit: 'ms',
      target: { kind: 'at most', value: 600 },
    });
    report.add({ name: 'kill to the next acknowledged commit: worst', value: Math.max(...gaps), unit: 'ms' });
  } finally {
    await scene.end();
    await cluster.close();
  }
}
