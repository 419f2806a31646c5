import { nestUser } from './nest-user.js';

/** As most applications of Nest 11 are: CommonJS, with an OpenTelemetry that is older than ours. */
nestUser({
  nest: 11,
  type: 'commonjs',
  ...{ api: '1.3.0', sdk: '1.30.1' },
  runs: [{ framework: 'express' }, { framework: 'fastify' }],
});
