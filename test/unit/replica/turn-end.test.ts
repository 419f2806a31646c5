import { expect, it } from '@jest/globals';
import type { Transport } from '../../../src/replica/ports.js';
import { TurnEnd } from '../../../src/replica/turn-end.js';

it('a shard that is given more to do while its turn ends does that, too', () => {
  const ends: (() => void)[] = [];
  const clock = { endOfTurn: (run: () => void) => void ends.push(run) };
  const turnEnd = new TurnEnd(clock, {} as Transport, (action) => action());
  const gathered = ['a command'];
  const done: string[] = [];
  const host = {
    endTurn: () => {
      done.push(...gathered.splice(0));
      // Its refusal makes a client ask for something else at once.
      if (done.length > 1) return;
      gathered.push('what follows from it');
      turnEnd.touch(host);
    },
  };
  turnEnd.touch(host);
  while (ends.length > 0) ends.shift()!();
  expect(done).toEqual(['a command', 'what follows from it']);
});
