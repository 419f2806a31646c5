import type { FenceToken, Steps } from '../kernel/index.js';
import type { Step } from './classic/turn.js';
import type { GroupReply } from './types/replies.js';
import type { ApplyContext, BegunOutcome, Consequences } from './types/views.js';

/** Some milliseconds of work while the code is cold. */
const MEMBERS_A_STEP = 250;

/** Field by field: a spread with fields behind it takes V8 a hundred times as long, and this runs for each command. */
export const stepOf = (context: ApplyContext, token: FenceToken): Step => ({
  slot: context.slot,
  at: context.at,
  token,
  news: [],
  timers: [],
  rest: [],
  membersAStep: context.membersAStep ?? MEMBERS_A_STEP,
});

/** Does the first step of what the handler of a command has left. */
export function begunOutcome(reply: GroupReply, step: Step): BegunOutcome {
  const rest = step.rest.length === 0 ? undefined : stepsOf(step);
  // Most groups are small: one step does all.
  if (rest === undefined || rest.next().done === true)
    return { reply, news: step.news, timers: step.timers, rest: undefined };
  return { reply, ...caused(step), rest: told(step, rest) };
}

function* stepsOf({ rest }: Step): Steps<void> {
  for (const steps of rest) yield* steps();
}
/** What was caused since the last call. */
const caused = ({ news, timers }: Step): Consequences => ({ news: news.splice(0), timers: timers.splice(0) });
function* told(step: Step, rest: Steps<void>): Generator<Consequences, void, void> {
  while (rest.next().done !== true) yield caused(step);
  yield caused(step);
}

interface Caused<News, Timer> {
  readonly news: readonly News[];
  readonly timers: readonly Timer[];
}
interface Begun<Reply, News, Timer> extends Caused<News, Timer> {
  readonly reply: Reply;
  readonly rest: Iterable<Caused<News, Timer>> | undefined;
}
/** All steps of a command at once. */
export function wholeOf<Reply, News, Timer>({
  reply,
  news,
  timers,
  rest,
}: Begun<Reply, News, Timer>): Caused<News, Timer> & { readonly reply: Reply } {
  if (rest === undefined) return { reply, news, timers };
  const all = { reply, news: [...news], timers: [...timers] };
  for (const step of rest) {
    for (const one of step.news) all.news.push(one);
    for (const one of step.timers) all.timers.push(one);
  }
  return all;
}
