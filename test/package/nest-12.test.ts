import { nestUser } from './nest-user.js';

/** Nest 12 is made of ES modules. */
nestUser({
  nest: 12,
  type: 'module',
  ...{ api: '^1.9.0', sdk: '^2.0.0' },
  runs: [{ framework: 'express' }, { framework: 'fastify' }, { framework: 'express', node: 24 }],
});
