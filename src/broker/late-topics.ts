import { FACTS } from './cluster-facts.js';
import type { BrokerContext } from './context.js';

/**
 * Before a topic is called unknown: it may have been made a moment ago, and this replica be the last to learn of it. So the
 * leader of the cluster's facts is asked first, and what it knows is applied here before the answer. `certain`: false when it
 * could not be asked. Where nothing is `missing` here there is no question.
 */
export function unlessMissing(
  { coordinator }: BrokerContext,
  missing: boolean,
  then: (certain: boolean) => void,
): void {
  if (!missing) return then(true);
  if (coordinator.leaderOf(FACTS) === undefined) return then(false);
  coordinator.readAnywhere(FACTS, ({ kind }) => then(kind === 'ok'));
}
