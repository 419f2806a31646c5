import { type Random, shardId } from '../kernel/index.js';
import type { Replica } from '../replica/index.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

interface OperatorOptions {
  readonly time: VirtualTime;
  readonly trace: Trace;
  readonly random: Random;
  /** Undefined: there is nothing more to do. */
  readonly running: () => readonly Replica[] | undefined;
}

/** Looks at one replica after the other. Where another disk runs under the id of a replica than the one that votes, it gets the vote. */
export function operator(options: OperatorOptions): void {
  const { time, random, running } = options;
  time.after(300 + random.below(700), () => {
    const replicas = running();
    if (replicas === undefined) return;
    if (replicas.length > 0) replaceLost(options, random.pick(replicas));
    operator(options);
  });
}

function replaceLost({ time, trace }: OperatorOptions, at: Replica): void {
  const { view, current, up } = at.replicas();
  if (view.plan !== null) return;
  const lost = current.find(({ id, incarnation }) => up.has(id) && up.get(id) !== incarnation);
  if (lost === undefined) return;
  const planned = at.planReplicas({ replace: [lost.id] });
  if ('problem' in planned) return;
  trace.note(time.now, `replica ${at.self} is asked to ${planned.command.what}`);
  at.submitAnywhere(shardId(0), planned.command, () => undefined);
}

/** At the end of a world whose operator does nothing else. */
export function noteReplaced(trace: Trace, replicas: readonly Replica[]): void {
  if (replicas.some((replica) => replica.replicas().view.number > 0))
    trace.reached('a lost disk was replaced');
}
