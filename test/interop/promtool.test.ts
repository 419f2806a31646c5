import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { startTestCluster } from '../../src/app/testing/index.js';
import { ROOT } from '../harness/cluster.js';
import { describeWith, works } from './clients.js';

const PROMTOOL = process.env['QUORATE_TEST_PROMTOOL'] ?? 'promtool';
const promtool = {
  title: "Prometheus' promtool",
  missing: works(PROMTOOL, ['--version'])
    ? undefined
    : 'apt-get install prometheus, or name promtool in QUORATE_TEST_PROMTOOL',
};
const run = (args: readonly string[], input?: string): { said: string; status: number | null } => {
  const { stdout, stderr, status } = spawnSync(PROMTOOL, args, { encoding: 'utf8', input });
  return { said: `${stdout}${stderr}`, status };
};

describeWith([promtool], "Prometheus' promtool", () => {
  it('finds nothing wrong with the alert rules', () => {
    const { said, status } = run(['check', 'rules', join(ROOT, 'docker/prometheus/quorate.rules.yaml')]);
    expect(said).toContain('SUCCESS');
    expect(status).toBe(0);
  });

  it('finds nothing to mend in the metrics of a replica', async () => {
    const cluster = await startTestCluster({ replicas: 3, http: true });
    try {
      await cluster.createTopic('tenants', 4);
      const metrics = await (await fetch(`${cluster.getHttpUrls()[0]!}/metrics`)).text();
      expect(metrics).toContain('quorate_clock_ahead_seconds');
      expect(run(['check', 'metrics'], metrics)).toEqual({ said: '', status: 0 });
    } finally {
      await cluster.stop();
    }
  });
});
