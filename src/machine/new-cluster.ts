import { assert, type TopicId, topicId, type WallMs, wallMs } from '../kernel/index.js';
import { groupsInNewCluster, tokensFromNow } from '../groups/index.js';
import type { Ends, TopicsView } from '../topics/index.js';
import { createNoticeLog, emptyNoticeLog } from './notices.js';
import type { Parts } from './parts.js';
import { NO_CHANGES } from './replica-plan.js';

/** How a new cluster takes over the state of another one. The same on each of its replicas: their states must be equal. */
export interface TakeOver {
  /** When the new cluster begins; not before what is taken over. */
  readonly at: WallMs;
  /** Of shard 0. */
  readonly facts: { readonly topics: TopicsView; readonly ends: Ends };
  /** Shard 0 is of a later moment than any other shard: a topic that it does not know was deleted. Else all offsets are kept. */
  readonly factsAreLatest: boolean;
}

/**
 * Topics, offsets, ends and records as they are; no members; generations and fence tokens above all that were given. What
 * shard 0 had to tell the other shards is told here: a notice of the old cluster means nothing in the new one.
 */
export function partsInNewCluster(
  parts: Parts,
  shards: number,
  { at, facts, factsAreLatest }: TakeOver,
): Parts {
  const { groups, topics, ends, appliedThrough, clock } = parts;
  assert(at >= clock, `a new cluster begins at ${at}, not before the last command at ${clock}`);
  const isTopic = (id: string): boolean => !factsAreLatest || facts.topics.byId(topicId(id)) !== undefined;
  // The slots go on behind those of the old cluster: a token is above all that the old one has given through this slot.
  const tokensFrom = Math.max(groups.tokensFrom + appliedThrough, tokensFromNow(at));
  ends.keep((id: TopicId) => isTopic(id));
  ends.learnSetBacks(facts.ends);
  return {
    ...parts,
    topics,
    ends,
    groups: groupsInNewCluster(groups, { at, pausedMs: at - clock, tokensFrom, isTopic }),
    notices: createNoticeLog(emptyNoticeLog(shards)),
    clock: wallMs(at),
    // The replicas of the old cluster are not those of the new one, which begins with its first configuration.
    configuration: undefined,
    replicas: NO_CHANGES,
  };
}
