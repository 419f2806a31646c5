import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compare } from '../compare/compare.js';
import { play } from '../compare/play.js';
import { recorded } from '../compare/recording.js';
import { COMPARABLE_SETTINGS } from '../compare/settings.js';
import { Target } from '../compare/target.js';
import { Cluster, ROOT } from '../harness/cluster.js';

const FILE = join(ROOT, 'test/recorded/kafka-4.3.1/groups.jsonl.gz');
const PARALLEL = 16;
/** A sequence with a session of 1.5 s may be late on a busy machine: it is sent again, alone. */
const ATTEMPTS = 3;

describe('what a Kafka answered', () => {
  let cluster: Cluster;
  let quorate: Target;
  beforeAll(async () => {
    cluster = await Cluster.start({ replicas: 1, settings: COMPARABLE_SETTINGS });
    quorate = await Target.prepare(cluster.replica(1).kafka);
  }, 60_000);
  afterAll(() => cluster.close(), 30_000);

  it('Quorate answers, but for the differences on purpose', async () => {
    const all = recorded(FILE);
    expect(all.length).toBeGreaterThanOrEqual(200);
    const differs = async ({ sequence, kafka }: (typeof all)[number]) =>
      compare(sequence, kafka, await play(sequence, quorate)).unexplained;
    let next = 0;
    const suspects: (typeof all)[number][] = [];
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        for (let each = all[next++]; each !== undefined; each = all[next++])
          if ((await differs(each)).length > 0) suspects.push(each);
      }),
    );
    for (const suspect of suspects) {
      let found = await differs(suspect);
      for (let attempt = 2; attempt < ATTEMPTS && found.length > 0; attempt++) found = await differs(suspect);
      expect({ seed: suspect.sequence.seed, found }).toEqual({ seed: suspect.sequence.seed, found: [] });
    }
  }, 240_000);
});
