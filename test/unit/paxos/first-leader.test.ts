import { describe, expect, it } from '@jest/globals';
import { Stage } from './stage.js';
import { TIMES } from './stage-options.js';

const PREFERRED = 1;
/** A replica that nothing delays leads within so long: its silence, an election, and a write. */
const SOON_MS = 2 * TIMES.electionTimeoutMs;

/** Three replicas that have just met, the preferred one of which does not run for a while. */
function metAndStalled(ms: number): Stage {
  const stage = new Stage('the first leader');
  // Two heartbeats: each has answered each.
  stage.run(2 * TIMES.heartbeatIntervalMs);
  stage.stall(PREFERRED, ms);
  return stage;
}
const serving = (stage: Stage): readonly number[] => [1, 2, 3].filter((id) => stage.isServing(id));

describe('the first leader after a start', () => {
  it('is the preferred one, though that one is slow at first', () => {
    const stage = metAndStalled(1.5 * TIMES.electionTimeoutMs);
    stage.runUntil('somebody serves', () => serving(stage).length > 0);
    expect(serving(stage)).toEqual([PREFERRED]);
    stage.run(4 * TIMES.electionTimeoutMs);
    expect(serving(stage)).toEqual([PREFERRED]);
  });

  it('is another one when the preferred one stays away', () => {
    const stage = metAndStalled(1_000);
    stage.runUntil('another one serves', () => stage.isServing(2), 4 * TIMES.electionTimeoutMs);
    expect(stage.time).toBeGreaterThan(2 * TIMES.electionTimeoutMs);
  });

  it('does not wait for one that it has not met, nor for one that died', () => {
    const alone = new Stage('the first leader');
    alone.isolate(PREFERRED);
    alone.runUntil('replica 2 serves', () => alone.isServing(2), SOON_MS);

    const died = new Stage('the first leader');
    died.run(2 * TIMES.heartbeatIntervalMs);
    died.crash(PREFERRED);
    // What it had sent arrives before its links are closed.
    died.run(TIMES.heartbeatIntervalMs / 2);
    for (const id of [2, 3]) died.tellDied(id, PREFERRED);
    died.runUntil('replica 2 serves', () => died.isServing(2), SOON_MS);
  });

  it('is followed by any other without that wait', () => {
    const stage = new Stage('the first leader');
    stage.runUntil('the preferred one serves', () => stage.isServing(PREFERRED));
    stage.isolate(PREFERRED);
    const since = stage.time;
    stage.runUntil('replica 2 serves', () => stage.isServing(2));
    // The lease that replica 1 had, a silence, and an election.
    expect(stage.time - since).toBeLessThan(TIMES.leaseMs + 2 * TIMES.electionTimeoutMs);
  });
});
