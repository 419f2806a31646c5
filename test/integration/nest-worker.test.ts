import { beforeAll } from '@jest/globals';
import { nestWorkerExample } from '../package/nest-worker.js';
import { BUILD_MS_MAX, buildImage, describeWithDocker, IMAGE } from './docker.js';

describeWithDocker('examples/nest-worker against the image', () => {
  beforeAll(buildImage, BUILD_MS_MAX);
  nestWorkerExample({ QUORATE_IMAGE: IMAGE }, ['testcontainers@11']);
});
