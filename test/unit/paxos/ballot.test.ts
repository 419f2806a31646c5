import { describe, expect, it } from '@jest/globals';
import { ByteReader, ByteWriter, replicaId, seededRandom } from '../../../src/kernel/index.js';
import {
  type Ballot,
  BALLOT_ZERO,
  ballotCodec,
  ballotsEqual,
  compareBallots,
  formatBallot,
  maxBallot,
} from '../../../src/paxos/index.js';

const ballot = (round: number, priority: number, replica: number): Ballot => ({
  round,
  priority,
  replica: replicaId(replica),
});

/** Every ballot of a small cube, so that all ties and orders occur. */
const SOME = [0, 1, 2].flatMap((round) =>
  [-1, 0, 3].flatMap((priority) => [0, 1, 2].map((replica) => ballot(round, priority, replica))),
);

describe('ballots', () => {
  it('are ordered by round, then priority, then replica', () => {
    const wanted = [ballot(1, 0, 9), ballot(1, 2, 1), ballot(1, 2, 2), ballot(2, 0, 0)];
    expect([...wanted].reverse().sort(compareBallots)).toEqual(wanted);
  });

  it('are totally ordered: antisymmetric, transitive, and equal only to themselves', () => {
    for (const a of SOME) {
      for (const b of SOME) {
        expect(Math.sign(compareBallots(a, b)) + Math.sign(compareBallots(b, a))).toBe(0);
        expect(ballotsEqual(a, b)).toBe(formatBallot(a) === formatBallot(b));
        for (const c of SOME)
          if (compareBallots(a, b) <= 0 && compareBallots(b, c) <= 0)
            expect(compareBallots(a, c)).toBeLessThanOrEqual(0);
      }
    }
  });

  it('compare by value, not by identity', () => {
    expect(ballotsEqual(ballot(4, 1, 2), ballot(4, 1, 2))).toBe(true);
  });

  it('never tie between two replicas', () => {
    for (const a of SOME)
      for (const b of SOME) if (a.replica !== b.replica) expect(ballotsEqual(a, b)).toBe(false);
  });

  it('start above zero for whatever a replica can make', () => {
    // A campaign begins with round 1; priorities may be anything.
    for (const priority of [-5, 0, 5])
      expect(compareBallots(ballot(1, priority, 0), BALLOT_ZERO)).toBeGreaterThan(0);
  });

  it('have a maximum that is one of the two and below neither', () => {
    for (const a of SOME) {
      for (const b of SOME) {
        const most = maxBallot(a, b);
        expect([a, b]).toContain(most);
        expect(compareBallots(most, a)).toBeGreaterThanOrEqual(0);
        expect(compareBallots(most, b)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('come back from their bytes, zero and long-lived rounds included', () => {
    const random = seededRandom(1);
    const some = Array.from({ length: 500 }, () =>
      ballot(random.below(2 ** 48), random.below(2000) - 1000, random.below(2 ** 31)),
    );
    for (const each of [BALLOT_ZERO, ballot(2 ** 53 - 1, 0, 2 ** 31 - 1), ...some]) {
      const writer = new ByteWriter();
      ballotCodec.write(writer, each);
      const reader = new ByteReader(writer.copy());
      expect(ballotCodec.read(reader)).toEqual(each);
      expect(reader.remaining).toBe(0);
    }
  });
});
