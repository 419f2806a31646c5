import { expect, it, jest } from '@jest/globals';
import { connect } from 'node:net';
import { describeWithOwnService } from '../harness/describe-with-service.js';
import type { ServiceKind } from '../harness/services.js';

jest.setTimeout(60_000);

/** True when the server accepts a connection; says nothing about whether it answers. */
const accepts = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

for (const kind of ['postgres', 'mysql', 'mysql8', 'redis'] as const satisfies readonly ServiceKind[]) {
  await describeWithOwnService(kind, `a ${kind} server of our own`, (service) => {
    it('takes connections, can be paused and resumed, and is gone when it was stopped', async () => {
      expect(await accepts(service.url)).toBe(true);
      await service.pause();
      await service.resume();
      expect(await accepts(service.url)).toBe(true);
      await service.stop();
      expect(await accepts(service.url)).toBe(false);
    });
  });
}
