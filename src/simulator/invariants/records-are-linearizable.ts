import type { History, RecordAccess } from '../history.js';
import { type Model, unexplained } from '../linearizability.js';

interface RecordState {
  readonly version: number;
  readonly fence: number;
}

/** Version and fence of a record, as one copy that does one thing after the other would have them. */
const RECORD: Model<RecordAccess, RecordState> = {
  initial: { version: 0, fence: 0 },
  key: ({ version, fence }) => `${version}/${fence}`,
  next(state, { write, outcome, version }) {
    if (write === undefined) return state.version === version ? [state] : [];
    const fits = write.expected === state.version && write.token >= state.fence;
    const written = { version: state.version + 1, fence: Math.max(write.token, state.fence) };
    switch (outcome) {
      case 'ok':
        return fits && written.version === version ? [written] : [];
      case 'conflict':
        return state.version === version && version !== write.expected ? [state] : [];
      case 'stale':
        return write.token < state.fence ? [state] : [];
      case 'refused':
        return [state];
      case 'unknown':
        return fits ? [written, state] : [state];
    }
  },
};

/** What clients were told of each record can be put into one order that fits the time and a single copy. */
export function recordsAreLinearizable({ records }: History): string | undefined {
  for (const space of new Set(records.map((access) => access.space))) {
    // A read without an answer says nothing.
    const operations = records.filter(
      (access) => access.space === space && (access.write !== undefined || access.outcome === 'ok'),
    );
    const odd = operations.length === 0 ? undefined : unexplained(operations, RECORD);
    if (odd === undefined) continue;
    const what = odd.write === undefined ? 'a read' : `a write of version ${odd.write.expected + 1}`;
    return `record of ${space}: ${what} from ${odd.startedAt} to ${odd.endedAt} ms ended with ${odd.outcome} ${odd.version}, which no order explains`;
  }
  return undefined;
}
