import type { History } from '../history.js';

/** A topic that its maker was told of is found by every later read. */
export function topicsStay({ topicsMissing }: History): string | undefined {
  return topicsMissing.length === 0
    ? undefined
    : `topic ${topicsMissing[0]} was made, and a later read did not find it`;
}
