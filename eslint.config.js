import tseslint from 'typescript-eslint';

/** Rooms that never touch a clock, a socket, a disk, a random source or a log (docs/architecture.md). */
const PURE_ROOMS = ['kernel', 'paxos', 'groups', 'topics', 'guard', 'registers', 'machine', 'wire'];

const NODE_GLOBALS = [
  ...['AbortSignal', 'Buffer', 'URL', 'console', 'fetch', 'performance', 'process'],
  ...['clearInterval', 'clearTimeout', 'setImmediate', 'setInterval', 'setTimeout'],
];

export default tseslint.config(
  {
    ignores: [
      ...[
        'dist',
        'node_modules',
        'data',
        'coverage',
        '**/*.cjs',
        'docs/api',
        'test/unit/house/planted',
        '.build-*',
      ],
      // Programs of users: compiled, as strictly, against the installed package.
      'test/package/fixtures',
      'examples/nest-worker',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use an `as const` union instead of an enum.' },
      ],
      eqeqeq: 'error',
    },
  },
  {
    files: PURE_ROOMS.map((room) => `src/${room}/**/*.ts`),
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'performance',
          'process',
          'console',
          'crypto',
          'fetch',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'clearTimeout',
          'clearInterval',
          'clearImmediate',
        ].map((name) => ({
          name,
          message: `A pure room gets time, randomness and IO inside its input: \`${name}\` belongs to the shell (src/replica).`,
        })),
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'Use the seeded random of src/kernel, or take the value inside the input.',
        },
        { object: 'globalThis', message: 'A pure room does not reach for globals.' },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*'], message: 'A pure room imports no node: module.' }] },
      ],
    },
  },
  {
    // Examples and scripts: plain JavaScript, without types to check by.
    files: ['**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      parserOptions: { project: false },
      globals: Object.fromEntries(NODE_GLOBALS.map((name) => [name, 'readonly'])),
    },
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      'no-undef': 'error',
      'no-restricted-globals': 'off',
    },
  },
);
