import { afterEach, expect } from '@jest/globals';
import { startContainer } from '../harness/service-containers.js';
import { findOwnService, type OwnService } from '../harness/services.js';
import { describeWithDocker, it } from './docker.js';

describeWithDocker('a database server for tests, with an engine that cannot pull its image', () => {
  const VARIABLE = 'QUORATE_TEST_REDIS_IMAGE';
  const before = process.env[VARIABLE];
  afterEach(() => {
    if (before === undefined) delete process.env[VARIABLE];
    else process.env[VARIABLE] = before;
  });

  it('is looked for as a local binary next; without one the reasons of both are told', async () => {
    process.env[VARIABLE] = 'registry.invalid/redis:none';
    const service = { kind: 'redis', foundIn: 'binary' } as OwnService;
    const binary = (): Promise<OwnService> => Promise.resolve(service);
    expect(await findOwnService('redis', [startContainer, binary])).toEqual({ service });

    const none = (): Promise<string> => Promise.resolve('no local binary');
    const { missing } = await findOwnService('redis', [startContainer, none]);
    expect(missing).toMatch(
      /^no redis \(no container of registry\.invalid\/redis:none: .+; no local binary\)/,
    );
  });
});
