import { describe, it } from '@jest/globals';
import { runPausedDemo } from '../harness/paused-demo.js';

describe('npm run demo:paused', () => {
  it('shows a stopped worker refused by every store, and what happens without fencing', async () => {
    await runPausedDemo([]);
  }, 90_000);
});
