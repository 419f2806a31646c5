import { assert, generation, type Generation, type WallMs, wallMs } from '../kernel/index.js';
import { type ClassicGroup, newClassicGroup } from './classic/state.js';
import { createGroups, ShardGroups } from './groups.js';
import type { Groups } from './types/views.js';

/**
 * Generations begin so much above those that are known. Those that the old cluster gave later are below it, unless a group has
 * rebalanced a million times since. What protects a store is the token, which has no such bound.
 */
const GENERATIONS_LEFT_OUT = 2 ** 20;
const GENERATION_MAX = 2 ** 31 - 1;

export interface NewClusterFacts {
  readonly at: WallMs;
  /** How long nothing was applied. Milliseconds. */
  readonly pausedMs: number;
  readonly tokensFrom: number;
  readonly isTopic: (topicId: string) => boolean;
}

/** Groups and their offsets in a new cluster: nobody is a member, and retention starts again. Throws InvariantError when generations are used up. */
export function groupsInNewCluster(groups: Groups, facts: NewClusterFacts): Groups {
  assert(groups instanceof ShardGroups, 'groups are a value that createGroups returned');
  const { state } = groups;
  const taken = new Map<ClassicGroup['id'], ClassicGroup>();
  for (const group of state.groups.values()) taken.set(group.id, groupInNewCluster(group, facts));
  return createGroups({
    groups: taken,
    generationFloor: later(state.generationFloor),
    tokensFrom: facts.tokensFrom,
  });
}

function groupInNewCluster(group: ClassicGroup, { at, pausedMs, isTopic }: NewClusterFacts): ClassicGroup {
  const fresh: ClassicGroup = {
    ...newClassicGroup(group.id, later(group.generation), group.historyMax),
    protocolType: group.protocolType,
    emptySince: at,
    history: group.history.filter(({ outcome }) => outcome !== 'running'),
  };
  for (const { committedAt, expiresAt, ...offset } of group.offsets.all()) {
    if (offset.topicId !== null && !isTopic(offset.topicId)) continue;
    fresh.offsets.put(offset, committedAt, expiresAt === null ? null : wallMs(expiresAt + pausedMs));
  }
  return fresh;
}

function later(known: Generation): Generation {
  assert(known <= GENERATION_MAX - GENERATIONS_LEFT_OUT, `the generation ${known} leaves room for more`);
  return generation(known + GENERATIONS_LEFT_OUT);
}
