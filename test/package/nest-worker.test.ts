import { describe } from '@jest/globals';
import { nestWorkerExample } from './nest-worker.js';

describe('examples/nest-worker, with its stores in memory', () => {
  nestWorkerExample();
});
