import type { History } from '../history.js';

/** A shard that is called ready has its new replicas, and a quorum of those to come, caught up. */
export const readyMeansCaughtUp = ({ witnessed }: History): string | undefined =>
  witnessed.get('ready-means-caught-up');
