import { afterAll, beforeAll } from '@jest/globals';
import { runPausedDemo } from '../harness/paused-demo.js';
import { serviceContainer, serviceUrl } from '../harness/service-containers.js';
import { describeWithDocker, Stage, it } from './docker.js';

describeWithDocker('npm run demo:paused', () => {
  let stage: Stage;
  const urls: string[] = [];
  beforeAll(async () => {
    stage = await Stage.open();
    for (const kind of ['redis', 'postgres'] as const)
      urls.push(serviceUrl(kind, await stage.start(kind, await serviceContainer(kind))));
  }, 400_000);
  afterAll(() => stage?.remove(), 60_000);

  it('over Redis and PostgreSQL in containers: both refuse the worker that was stopped, and lose deposits without fencing', async () => {
    const [redis, postgres] = urls as [string, string];
    await runPausedDemo(['--redis', redis, '--postgres', postgres], ['Redis', 'PostgreSQL']);
  }, 240_000);
});
