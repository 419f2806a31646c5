import { describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';

describe('npm run demo:paused', () => {
  it('shows a stopped worker refused by every store, and what happens without fencing', async () => {
    const demo = new Child('demo:paused', process.execPath, ['examples/paused.js'], { cwd: ROOT });
    const code = await demo.exited;
    const printed = demo.lines.join('\n');
    if (code !== 0) console.error(printed);
    expect(code).toBe(0);
    const [fenced, unfenced] = printed.split('--- fencing off ---');
    expect(fenced).toMatch(
      /anna +\S+ +REFUSED: StaleEpochError: the token \d+ of bank-on\/ledger\/0 is stale/,
    );
    expect(fenced).not.toContain('WRONG');
    expect(unfenced).toMatch(/WRONG by -\d+/);
  }, 90_000);
});
