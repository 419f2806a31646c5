import { type GroupId, type TopicName, type WallMs, wallMs } from '../kernel/index.js';
import type { ClassicGroup } from './classic/state.js';
import { subscriptionOf } from './classic/subscriptions.js';
import type { StoredOffset } from './offsets.js';
import type { Expirable } from './types/views.js';

/**
 * Which offsets of a group are past their retention. Kafka: KIP-211. The retention of an offset starts when the group, or the
 * topic in the group, is no longer in use. Not Kafka (KAFKA-14987): a commit into a group that is empty already starts it
 * again.
 */
export function pastRetention(
  group: ClassicGroup,
  at: WallMs,
  retentionMs: number,
): (offset: StoredOffset) => boolean {
  /** Read when an offset is old enough for it to matter: a group may have thousands of members. */
  let subscribed: Set<TopicName> | 'opaque' | undefined;
  const inUse = ({ topic }: StoredOffset): boolean => {
    if (group.state === 'Empty') return false;
    if (group.state !== 'Stable') return true;
    subscribed ??= subscriptionOf(group) ?? 'opaque';
    return subscribed === 'opaque' || subscribed.has(topic);
  };
  return (offset) => {
    const { committedAt, expiresAt } = offset;
    const since =
      group.state === 'Empty' ? wallMs(Math.max(group.emptySince ?? 0, committedAt)) : committedAt;
    return at >= (expiresAt ?? since + retentionMs) && !inUse(offset);
  };
}

/** It has neither members nor ids that are awaited nor offsets. */
export const isUnused = ({ state, pending, offsets }: ClassicGroup): boolean =>
  state === 'Empty' && pending.size === 0 && offsets.count === 0;

/** What `group.expireThese` may name; null for each offset that stays, so that the caller can stop in between. */
export function* expirable(
  groups: ReadonlyMap<GroupId, ClassicGroup>,
  at: WallMs,
  retentionMs: number,
): Iterable<Expirable | null> {
  for (const group of groups.values()) {
    const past = pastRetention(group, at, retentionMs);
    for (const offset of group.offsets.all()) {
      const { topic, partition } = offset;
      yield past(offset) ? { group: group.id, topic, partition } : null;
    }
    yield isUnused(group) ? { group: group.id, topic: null, partition: 0 } : null;
  }
}
