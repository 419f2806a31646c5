import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { pack, type Packed } from './packed.js';
import { Project } from './project.js';

const TIMEOUT_MS = 300_000;

/**
 * Declares the tests of examples/nest-worker, as its own `npm test` runs them, with the packed package installed into it.
 * @param variables of the environment, for tests that need a service. @param packages to install besides.
 */
export function nestWorkerExample(
  variables: Readonly<Record<string, string>> = {},
  packages: readonly string[] = [],
): void {
  let packed: Packed;
  let project: Project;
  beforeAll(async () => {
    packed = await pack();
    project = await Project.example(packed, 'nest-worker', packages);
  }, TIMEOUT_MS);
  afterAll(() => {
    project.remove();
    packed.remove();
  });

  it('is content with its peers, and has one Nest', async () => {
    expect(await project.peerProblems()).toEqual([]);
    expect(project.copiesOf('@nestjs/core')).toEqual(['node_modules/@nestjs/core']);
  });

  it(
    'passes its tests, on the clock of the machine and on virtual time',
    async () => {
      const { code, stdout, stderr } = await project.script('test', variables);
      if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
      expect(stdout).toMatch(/^\D*pass [1-9]\d*$/m);
      if (variables['QUORATE_IMAGE'] !== undefined) expect(stdout).toMatch(/^\D*skipped 0$/m);
      expect(stdout).toMatch(/^\D*fail 0$/m);
    },
    TIMEOUT_MS,
  );
}
