const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'es6' },
    },
  ],
};

const project = (displayName, testMatch) => ({
  displayName,
  testMatch,
  transform,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  moduleFileExtensions: ['ts', 'js', 'json'],
  testEnvironment: 'node',
  // A test may share the processors with much else: it fails for what it finds, not for being slow.
  testTimeout: 60_000,
});

/**
 * Seven projects. `npm test` runs the first two, which Node alone can run; `.ci/run` runs all.
 * unit: pure rooms and adapters in one process. system: real processes started from dist.
 * interop: foreign clients (kcat, librdkafka ...). services: the databases that the locking module writes to.
 * package: what npm packs, installed as users install it. survival: long fault runs. integration: the image, in Docker.
 */
export default {
  maxWorkers: 2,
  // Of a machine that is busy with something else too. Tests wait for what happens; this only ends those that hang.
  testTimeout: 60_000,
  projects: [
    project('unit', ['<rootDir>/test/unit/**/*.test.ts']),
    project('system', ['<rootDir>/test/system/**/*.test.ts']),
    project('interop', ['<rootDir>/test/interop/**/*.test.ts']),
    project('services', ['<rootDir>/test/services/**/*.test.ts']),
    project('package', ['<rootDir>/test/package/**/*.test.ts']),
    project('survival', ['<rootDir>/test/survival/**/*.test.ts']),
    project('integration', ['<rootDir>/test/integration/**/*.test.ts']),
  ],
};
