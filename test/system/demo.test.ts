import { describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';

describe('npm run demo', () => {
  const workers = [
    ['quorate/worker', []],
    ['kafkajs', ['--kafkajs']],
  ] as const;
  it.each(workers)(
    'with %s: kills a worker and the leading replica, and finds nothing wrong',
    async (_, args) => {
      const demo = new Child('demo', process.execPath, ['examples/demo.js', ...args], { cwd: ROOT });
      const code = await demo.exited;
      await demo.printed;
      const printed = demo.lines.join('\n');
      if (code !== 0) console.error(printed);
      expect(code).toBe(0);
      expect(printed).toContain('kills the worker bert');
      expect(printed).toMatch(/kills replica \d, which leads the group/);
      expect(printed).toMatch(/No partition ever had two owners\. No acknowledged commit was lost\.$/);
    },
    240_000,
  );
});
