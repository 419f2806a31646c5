import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pack, type Packed } from './packed.js';
import { Project } from './project.js';

const TIMEOUT_MS = 240_000;

let packed: Packed;
let project: Project;
beforeAll(async () => {
  packed = await pack();
  const dependencies = { kafkajs: '^2.2.4', jest: '^30.0.0', vitest: '^3.2.0' };
  project = await Project.install(packed, { fixture: 'testing', type: 'module', dependencies });
}, TIMEOUT_MS);
afterAll(() => {
  project.remove();
  packed.remove();
});

describe('a project that tests its workers against quorate/testing, without Nest', () => {
  it(
    'with jest',
    async () => {
      writeFileSync(
        project.path('jest.config.json'),
        JSON.stringify({ transform: {}, testMatch: ['**/*.test.mjs'], moduleFileExtensions: ['mjs', 'js'] }),
      );
      const ended = await project.node('--experimental-vm-modules', 'node_modules/jest/bin/jest.js');
      expect(ended.stderr).toContain('Tests:       2 passed, 2 total');
      expect(ended.code).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'with vitest',
    async () => {
      const ended = await project.node('node_modules/vitest/vitest.mjs', 'run', '--globals');
      expect(ended.stdout.replaceAll(/\u001b\[\d+m/g, '')).toMatch(/Tests +2 passed/);
      expect(ended.code).toBe(0);
    },
    TIMEOUT_MS,
  );
});
