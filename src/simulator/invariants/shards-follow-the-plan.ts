import type { History } from '../history.js';

/** Once a plan has ended every shard is decided by the replicas that it named. */
export const shardsFollowThePlan = ({ witnessed }: History): string | undefined =>
  witnessed.get('shards-follow-the-plan');
