import type { FenceToken, Steps } from '../../kernel/index.js';
import type { GroupNews } from '../types/news.js';
import type { TimerChange } from '../types/timers.js';
import type { ApplyContext } from '../types/views.js';
import type { ClassicGroup } from './state.js';

/** One command: its place in the log, the leader's time, and what it causes beside its reply. */
export interface Step extends ApplyContext {
  /** Of the fences that this command grants. */
  readonly token: FenceToken;
  readonly news: GroupNews[];
  readonly timers: TimerChange[];
  /**
   * What the command does to each of its group's members, in this order, after its handler has returned: a group may have
   * thousands, and the loop serves others between two steps. Nothing else changes the group until all of it is done.
   */
  readonly rest: (() => Steps<void>)[];
  /** A step ends after so many members. */
  readonly membersAStep: number;
}

/** One command at one group. Every function that changes a group takes it first. */
export interface Turn extends Step {
  readonly group: ClassicGroup;
}

/** News and timers of the turn are those of the step. */
export const turnOf = (group: ClassicGroup, step: Step): Turn => ({
  group,
  slot: step.slot,
  at: step.at,
  token: step.token,
  news: step.news,
  timers: step.timers,
  rest: step.rest,
  membersAStep: step.membersAStep,
});

/** Does something with each item of a command, in steps. */
export function* inSteps<T>(
  { membersAStep }: Step,
  items: Iterable<T>,
  each: (item: T) => void,
): Steps<void> {
  let left = membersAStep;
  for (const item of items) {
    each(item);
    if (--left > 0) continue;
    left = membersAStep;
    yield;
  }
}
