import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { oneReplica, ready, startReplica } from './one-replica.js';
import { pack, type Packed } from './packed.js';
import { Project } from './project.js';

const TIMEOUT_MS = 120_000;
const STOPPED_WITHIN_MS = 60_000;

let packed: Packed;
beforeAll(async () => {
  packed = await pack();
}, TIMEOUT_MS);
afterAll(() => packed.remove());

describe('a project that has nothing but quorate', () => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.install(packed, { fixture: 'plain', type: 'module' });
  }, TIMEOUT_MS);
  afterAll(() => project.remove());

  it('has no Nest in its tree, and nothing to complain of', async () => {
    expect(project.installed().filter((path) => /@nestjs|rxjs|reflect-metadata|express/.test(path))).toEqual(
      [],
    );
    expect(await project.peerProblems()).toEqual([]);
  });

  it.each(['ledger.mjs', 'ledger.cjs'])('uses the library: %s', async (program) => {
    const { stdout, stderr, code } = await project.node(`src/${program}`);
    // Node 20 warns that require() of an ES module is experimental.
    expect(
      stderr.replaceAll(/\(node:\d+\) ExperimentalWarning: .*|\(Use `node --trace-warnings.*/g, '').trim(),
    ).toBe('');
    const [told, ...rest] = stdout.trim().split('\n');
    expect(JSON.parse(told!)).toEqual({ account: { balance: 2 }, refused: 'stale-epoch' });
    expect(new Set(rest)).toEqual(new Set(['true']));
    expect(code).toBe(0);
  });

  it('has the command, whose answers need no Nest', async () => {
    const help = await project.quorate('--help');
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: quorate');
    expect((await project.quorate('cluster-id')).stdout.trim()).toMatch(/^[\w-]{22}$/);
  });

  it(
    'is told what a replica needs besides, and can run one with it',
    async () => {
      const { file, url } = await oneReplica(project);
      const refused = await project.quorate('start', '--config', file);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      const told = /Nest, which is not installed here: npm install (\S+)/.exec(refused.stderr)?.[1];
      expect(told).toBe('@nestjs/platform-express');

      await project.add(told!);
      const child = startReplica(project, file);
      try {
        await ready(url, child);
      } finally {
        expect(await child.stop(STOPPED_WITHIN_MS)).toBe(0);
      }
    },
    TIMEOUT_MS,
  );
});

describe("a project with drivers of its own, ioredis', pg's, mysql2's, SQLite's and kafkajs'", () => {
  let project: Project;
  beforeAll(async () => {
    const drivers = ['ioredis', 'kafkajs', 'mysql2', 'pg', '@types/better-sqlite3', '@types/pg'];
    project = await Project.install(packed, {
      ...{ fixture: 'drivers', type: 'module' },
      dependencies: { ...Object.fromEntries(drivers.map((name) => [name, '*'])), '@types/node': '^24.0.0' },
    });
  }, TIMEOUT_MS);
  afterAll(() => project.remove());

  it.each([
    ['as Node resolves', { module: 'NodeNext' }],
    ['as bundlers resolve', { module: 'ESNext', moduleResolution: 'Bundler' }],
    [
      'as compilers did that knew no exports',
      { module: 'CommonJS', moduleResolution: 'node10', ignoreDeprecations: '6.0', esModuleInterop: true },
    ],
  ])(
    'compiles with them: %s',
    async (_how, options) => {
      // Not every driver's own declarations are sound; ours are compiled with those of Nest.
      await project.compile({ ...options, skipLibCheck: true });
    },
    TIMEOUT_MS,
  );
});
