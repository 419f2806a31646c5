import { it } from '@jest/globals';
import { describeWithService } from '../harness/describe-with-service.js';
import { runPausedDemo } from '../harness/paused-demo.js';

await describeWithService('postgres', 'npm run demo:paused with a PostgreSQL', ({ url }) => {
  it('shows a stopped worker refused by it, and what happens without fencing', async () => {
    await runPausedDemo(['--postgres', url], ['PostgreSQL']);
  }, 90_000);
});
