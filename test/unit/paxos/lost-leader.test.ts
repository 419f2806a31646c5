import { expect, it } from '@jest/globals';
import { monotonicMs, NO_SLOT, replicaId } from '../../../src/kernel/index.js';
import { ELECTION_TIMEOUT_MS, loneCore } from './lone-core.js';

const TWO = replicaId(2);

it.each([true, false])(
  'a leader that is silent is no leader any more, also to one whose vote is %s',
  (votes) => {
    const { core, hear } = loneCore([1, 2, 3].map(replicaId), votes);
    const ballot = { round: 1, priority: 1, replica: TWO };
    hear(TWO, { kind: 'heartbeat', round: 1, ballot, leads: true, chosenThrough: NO_SLOT }, 10);
    const leaderAt = (at: number) => {
      core.step({ kind: 'tick' }, monotonicMs(at));
      return core.status(monotonicMs(at)).leadership.leader;
    };
    expect(leaderAt(11)).toBe(TWO);
    expect(leaderAt(10 + 4 * ELECTION_TIMEOUT_MS)).toBeUndefined();
  },
);
