import { InvariantError } from '../kernel/index.js';
import type { MachineView, Reply } from '../machine/index.js';
import type { Outcome, ReadOutcome } from '../replica/index.js';
import type { ErrorCode } from '../wire/index.js';
import type { Counters } from './counters.js';
import { refusalCode, type RequestClass } from './refusals.js';

type Counting = { readonly counters: Counters };

/**
 * What becomes of a command: `done` gets the machine's reply, `refused` the code of a refusal, which is counted. The
 * machine answers a command with a reply of one of `kinds`; anything else is a defect of ours.
 */
export function settle<R extends Reply, K extends R['kind']>(
  { counters }: Counting,
  requests: RequestClass,
  kinds: readonly K[],
  done: (reply: Extract<R, { readonly kind: K }>) => void,
  refused: (code: ErrorCode) => void,
): (outcome: Outcome<R>) => void {
  return (outcome) => {
    if (outcome.kind !== 'ok') {
      counters.refusal(outcome.kind);
      return refused(refusalCode(requests, outcome));
    }
    const { reply } = outcome;
    if (!kinds.some((kind) => kind === reply.kind))
      throw new InvariantError(`broken invariant: ${kinds.join(' or ')} was answered with ${reply.kind}`);
    done(reply as Extract<R, { readonly kind: K }>);
  };
}

/** What becomes of a read: `done` gets the state, `refused` the code of a refusal, which is counted. */
export function settleRead(
  { counters }: Counting,
  requests: RequestClass,
  done: (view: MachineView) => void,
  refused: (code: ErrorCode) => void,
): (outcome: ReadOutcome) => void {
  return (outcome) => {
    if (outcome.kind === 'ok') return done(outcome.view);
    counters.refusal(outcome.kind);
    refused(refusalCode(requests, outcome));
  };
}
