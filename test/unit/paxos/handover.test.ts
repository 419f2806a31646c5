import { describe, expect, it } from '@jest/globals';
import { Stage } from './stage.js';

/** The stage's window is 4096 bytes: one of these fills it. */
const large = (letter: string): string => letter.repeat(5000);

describe('a hand-over that fails', () => {
  it('leaves the window as wide as it was', () => {
    const stage = new Stage('a hand-over to a replica that does not answer');
    stage.runUntil('replica 1 serves', () => stage.isServing(1));
    stage.run(24);
    stage.propose(1, large('a'));
    stage.isolate(2);
    stage.transfer(1, 2);
    stage.run(45);
    // Replica 2 never caught up, so the leader goes on.
    expect(stage.isServing(1)).toBe(true);
    expect(stage.values(1)).toHaveLength(2);
    stage.propose(1, large('b'), large('c'), large('d'));
    expect(stage.status(1)).toMatchObject({ inFlight: 1, queued: 2 });
    stage.run(40);
    expect(stage.status(1)).toMatchObject({ inFlight: 0, queued: 0 });
    expect(stage.values(1)).toHaveLength(5);
  });
});
