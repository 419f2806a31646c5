import { expect } from '@jest/globals';
import { Child } from './child.js';
import { ROOT } from './cluster.js';

/**
 * Runs `npm run demo:paused`; the package must be built.
 * @param stores names of those that must have refused the paused worker, and that it must have corrupted without fencing.
 */
export async function runPausedDemo(args: readonly string[], stores: readonly string[] = []): Promise<void> {
  const demo = new Child('demo:paused', process.execPath, ['examples/paused.js', ...args], { cwd: ROOT });
  const code = await demo.exited;
  await demo.printed;
  const printed = demo.lines.join('\n');
  if (code !== 0) console.error(printed);
  expect(code).toBe(0);
  const [fenced, unfenced] = printed.split('--- fencing off ---');
  expect(fenced).toMatch(/anna +\S+ +REFUSED: StaleEpochError: the token \d+ of bank-on\/ledger\/0 is stale/);
  expect(fenced).not.toContain('WRONG');
  expect(unfenced).toMatch(/WRONG by -\d+/);
  for (const store of stores) {
    expect(fenced).toMatch(new RegExp(`${store} +\\d+ -> \\d+ .*StaleEpochError`));
    expect(unfenced).toMatch(new RegExp(`${store} +\\d+ -> \\d+ .*WRONG by -\\d+`));
  }
}
