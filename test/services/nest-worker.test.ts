import { declareWith } from '../harness/describe-with-service.js';
import { findService } from '../harness/services.js';
import { nestWorkerExample } from '../package/nest-worker.js';

const postgres = await findService('postgres');
const redis = await findService('redis');

declareWith(postgres, 'examples/nest-worker with a PostgreSQL', ({ url: POSTGRES_URL }) => {
  declareWith(redis, 'and a Redis', ({ url: REDIS_URL }) => nestWorkerExample({ POSTGRES_URL, REDIS_URL }));
});
