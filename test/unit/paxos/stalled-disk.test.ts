import { describe, expect, it } from '@jest/globals';
import { monotonicMs, NO_SLOT, replicaId } from '../../../src/kernel/index.js';
import { loneCore } from './lone-core.js';

const TWO = replicaId(2);

describe('a follower whose disk stalls', () => {
  it('tells a leader that it does not know yet that it has no vote, though it cannot promise it anything', () => {
    const { core, hear } = loneCore([1, 2, 3].map(replicaId), true);
    core.step({ kind: 'tick', diskStalls: true }, monotonicMs(1));
    const ballot = { round: 5, priority: 0, replica: TWO };
    const heartbeat = { kind: 'heartbeat', ballot, leads: true, chosenThrough: NO_SLOT } as const;
    for (const round of [1, 2]) {
      const answers = hear(TWO, { ...heartbeat, round }, 2).flatMap((effect) =>
        effect.kind === 'send' ? [effect.message] : [],
      );
      expect(answers).toMatchObject([{ kind: 'heartbeatReply', round, follows: false, votes: false }]);
    }
    expect(core.status(monotonicMs(2)).leadership.leader).toBe(TWO);
  });
});
