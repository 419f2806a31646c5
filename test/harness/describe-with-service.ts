import { afterAll, describe, it } from '@jest/globals';
import {
  findOwnService,
  findService,
  type Found,
  type OwnService,
  type Service,
  type ServiceKind,
  type Stoppable,
} from './services.js';

/**
 * Declares tests that need a server; to be awaited at the top of the test file. The server starts before the tests are
 * declared and stops after the last. Without one they are skipped loudly; with REQUIRE_SERVICES=1 that is a failure.
 */
export async function describeWithService(
  kind: ServiceKind,
  title: string,
  tests: (service: Service) => void,
): Promise<void> {
  declareWith(await findService(kind), title, tests);
}

/** The same for tests that pause or kill the server: never one from the environment. */
export async function describeWithOwnService(
  kind: ServiceKind,
  title: string,
  tests: (service: OwnService) => void,
): Promise<void> {
  declareWith(await findOwnService(kind), title, tests);
}

/** The same for a server that was looked for already. */
export function declareWith<S extends Stoppable>(
  found: Found<S>,
  title: string,
  tests: (service: S) => void,
): void {
  const { service, missing } = found;
  if (service !== undefined) {
    describe(title, () => {
      tests(service);
      // After the tests' own: hooks run in the order in which they are declared.
      afterAll(() => service.stop(), 30_000);
    });
    return;
  }
  if (process.env['REQUIRE_SERVICES'] === '1') {
    describe(title, () => {
      it('has the server it needs', () => {
        throw new Error(missing);
      });
    });
    return;
  }
  console.warn(`SKIPPED: ${title}: ${missing}`);
  describe(title, () => {
    it.skip(`needs ${missing}`, () => undefined);
  });
}
