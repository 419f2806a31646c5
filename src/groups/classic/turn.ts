import type { FenceToken } from '../../kernel/index.js';
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
}

/** One command at one group. Every function that changes a group takes it first. */
export interface Turn extends Step {
  readonly group: ClassicGroup;
}

/** News and timers of the turn are those of the step. */
export const turnOf = (group: ClassicGroup, { slot, at, token, news, timers }: Step): Turn => ({
  group,
  slot,
  at,
  token,
  news,
  timers,
});
