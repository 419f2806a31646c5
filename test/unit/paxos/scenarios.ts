import { expect } from '@jest/globals';
import { formatBallot, type Message } from '../../../src/paxos/index.js';
import { type Letter, Stage } from './stage.js';
import { tellMessage } from './story.js';
import { replacedByASeal } from './sealing-scenario.js';

/** Every scenario plays on a stage, asserts its point, and gives the stage back for its trace. */
export const scenarios: Readonly<Record<string, () => Stage>> = {
  'normal-operation': normalOperation,
  'duelling-candidates': duellingCandidates,
  'leader-dies-after-accept': leaderDiesAfterAccept,
  'two-older-ballots': twoOlderBallots,
  'bad-network': badNetwork,
  'restart-at-every-persist': restartAtEveryPersist,
  'returning-leader': returningLeader,
  'hand-over': handOver,
  'dead-or-slow': deadOrSlow,
  'replaced-by-a-seal': replacedByASeal,
};

const isKind =
  (...kinds: readonly Message['kind'][]) =>
  ({ message }: Letter): boolean =>
    kinds.includes(message.kind);

function serveFirst(stage: Stage): void {
  stage.runUntil('replica 1 serves', () => stage.isServing(1));
  // Off the beat of the heartbeats, so that their answers do not cross what a scenario sends next.
  stage.run(24);
}

function normalOperation(): Stage {
  const stage = new Stage('Normal operation: an election, proposals, a read, what followers learn');
  stage.say('Nobody leads; replica 1 has the highest priority and campaigns first.');
  stage.runUntil('replica 1 serves', () => stage.isServing(1));
  stage.say('Two proposals in one turn share an Accept and a write.');
  stage.propose(1, 'a', 'b');
  stage.runUntil('both are chosen', () => stage.answers.includes('b chosen'));
  stage.say('A read under the lease asks nobody.');
  stage.read(1);
  expect(stage.answers).toEqual(['a chosen', 'b chosen', 'read 3 ready']);
  stage.say('A follower refuses, so that the client goes elsewhere.');
  stage.propose(2, 'x');
  expect(stage.answers.at(-1)).toBe('x not-leader');
  stage.say('Followers learn with the next heartbeat.');
  stage.run(20);
  for (const id of [1, 2, 3]) expect(stage.values(id)).toEqual(['noop', 'a', 'b']);
  expect(stage.served).toEqual(['r1 1.2@1']);
  return stage;
}

function duellingCandidates(): Stage {
  const stage = new Stage(
    'Duelling candidates: equal priorities, replicas 1 and 2 campaign in the same round',
    {
      priorities: [0, 0, 0],
    },
  );
  stage.say('Replica 3 hears nobody at first, so that two remain to duel; their prepares cross.');
  stage.isolate(3);
  stage.runUntil('two candidates', () =>
    [1, 2].every((id) => stage.status(id).leadership.role === 'candidate'),
  );
  expect([1, 2].map((id) => formatBallot(stage.status(id).promised))).toEqual(['1.0@1', '1.0@2']);
  stage.say('The higher ballot, 1.0@2, deposes the lower one; a promise is never given downwards.');
  stage.heal();
  stage.runUntil('one serves', () => stage.served.length > 0);
  stage.run(60);
  expect(stage.served).toEqual(['r2 1.0@2']);
  stage.say('A single leader, and its values are taken.');
  stage.propose(2, 'a');
  stage.run(20);
  for (const id of [1, 2, 3]) expect(stage.values(id)).toEqual(['noop', 'a']);
  expect(stage.served).toHaveLength(1);
  return stage;
}

function leaderDiesAfterAccept(): Stage {
  const stage = new Stage('The leader dies with a value accepted and not chosen', { priorities: [2, 0, 1] });
  stage.mute(true);
  serveFirst(stage);
  stage.mute(false);
  stage.say('Replica 1 leads with 1.2@1. Its Accept of a reaches only replica 2, and no answer comes back.');
  stage.post(({ from, to, message }) =>
    (message.kind === 'accept' && to === 3) || (message.kind === 'accepted' && from === 2)
      ? 'lose'
      : 'deliver',
  );
  stage.propose(1, 'a');
  stage.runUntil(
    'replica 2 has accepted a',
    () => stage.status(2).lastSlot === 2 && stage.writesUnderWay(2) === 0,
  );
  stage.say('Replica 1 dies and takes what it knows with it. Nobody was told anything about a.');
  stage.crash(1);
  stage.post(() => 'deliver');
  expect(stage.answers).toEqual([]);
  stage.say('Replica 3 campaigns; the promise of replica 2 carries a, and a leader must take it over.');
  stage.runUntil('replica 3 serves', () => stage.isServing(3));
  stage.run(20);
  for (const id of [2, 3]) expect(stage.values(id)).toEqual(['noop', 'a', 'noop']);
  stage.say(
    'Replica 1 comes back, follows, and gets the leadership back when it has been steady for a while.',
  );
  stage.restart(1);
  stage.run(60);
  expect(stage.values(1)).toEqual(['noop', 'a', 'noop']);
  expect(stage.served).toEqual(['r1 1.2@1', 'r3 2.1@3']);
  return stage;
}

function twoOlderBallots(): Stage {
  const stage = new Stage(
    'Values of two older ballots in one promise: the higher ballot wins, slot by slot',
    {
      replicas: 5,
      priorities: [4, 3, 2, 1, 0],
      chunkBytesMax: 42,
    },
  );
  stage.mute(true);
  serveFirst(stage);
  stage.mute(false);
  stage.say('Replica 1 leads with 1.4@1. Its values a b c for slots 2..4 reach only replica 5.');
  const only =
    (...open: readonly string[]) =>
    ({ from, to, message }: Letter): 'deliver' | 'lose' =>
      isKind('accept')({ from, to, message }) && !open.includes(`${from}>${to}`) ? 'lose' : 'deliver';
  stage.post((letter) => (letter.message.kind === 'accepted' ? 'lose' : only('1>5')(letter)));
  stage.propose(1, 'a', 'b', 'c');
  stage.runUntil('replica 5 holds c', () => stage.status(5).lastSlot === 4 && stage.writesUnderWay(5) === 0);
  stage.say('Replicas 1 and 5 are cut off; 2 is elected by 2, 3 and 4, who never heard of a b c.');
  stage.isolate(1);
  stage.isolate(5);
  stage.post((letter) => (letter.message.kind === 'accept' ? 'lose' : 'deliver'));
  stage.runUntil('replica 2 leads', () => stage.status(2).leadership.role === 'leader');
  const second = stage.status(2).promised;
  stage.say('It opens slot 2 with a no-op and puts x into slot 3. Both reach replica 5 alone.');
  stage.propose(2, 'x');
  stage.heal();
  stage.isolate(1);
  stage.post((letter) => (letter.message.kind === 'accepted' ? 'lose' : only('2>5')(letter)));
  stage.runUntil('replica 5 holds x', () => formatBallot(stage.status(5).promised) === formatBallot(second));
  stage.runUntil('its disk is quiet', () => stage.writesUnderWay(5) === 0);
  stage.run(30);
  stage.say(
    'Replicas 2 and 4 die. Replica 1 campaigns with a b c in its own log; the promise of 5 has x and c.',
  );
  stage.crash(2);
  stage.crash(4);
  stage.heal();
  let promise: Message | undefined;
  stage.post(({ from, message }) => {
    if (message.kind === 'promise' && from === 5) promise ??= message;
    return 'deliver';
  });
  stage.runUntil('replica 1 serves again', () => stage.isServing(1));
  stage.run(40);
  expect(promise === undefined ? '' : tellMessage(promise)).toContain(
    'slots 2..4 = noop(2.3@2) x(2.3@2) c(1.4@1)',
  );
  stage.say('Slot 3: x of 2.3@2 wins over b of 1.4@1. Slot 4: c of 1.4@1 is all there is, so it stays.');
  for (const id of [1, 3, 5]) expect(stage.values(id)).toEqual(['noop', 'noop', 'x', 'c', 'noop']);
  return stage;
}

function badNetwork(): Stage {
  const stage = new Stage('Dropped, doubled and reordered Accepts', { chunkBytesMax: 20 });
  stage.mute(true);
  serveFirst(stage);
  stage.mute(false);
  stage.say('Accepts to replica 2 are doubled. Those to replica 3 are held and then come in reverse order.');
  stage.post(({ to, message }) => (message.kind !== 'accept' ? 'deliver' : to === 2 ? 'double' : 'hold'));
  stage.propose(1, 'a');
  stage.propose(1, 'b');
  stage.propose(1, 'c');
  stage.run(4);
  stage.say(
    'Replica 3 takes values only in order: an Accept that leaves a gap is answered with where it stands.',
  );
  stage.release((a, b) => firstSlotOf(b) - firstSlotOf(a));
  stage.run(6);
  stage.say('A value counts once, however often it is accepted.');
  expect(stage.answers).toEqual(['a chosen', 'b chosen', 'c chosen']);
  stage.say('The first Accept of every slot to either follower is lost now; what is missing is sent again.');
  const lost = new Set<string>();
  stage.post((letter) => {
    const which = `${letter.to} ${firstSlotOf(letter)}`;
    if (letter.message.kind !== 'accept' || lost.has(which)) return 'deliver';
    lost.add(which);
    return 'lose';
  });
  stage.propose(1, 'd');
  stage.propose(1, 'e');
  stage.propose(1, 'f');
  stage.run(80);
  for (const id of [1, 2, 3]) expect(stage.values(id)).toEqual(['noop', 'a', 'b', 'c', 'd', 'e', 'f']);
  expect(stage.served).toEqual(['r1 1.2@1']);
  return stage;
}

const firstSlotOf = ({ message }: Letter): number => (message.kind === 'accept' ? message.firstSlot : 0);

function restartAtEveryPersist(): Stage {
  const summary = new Stage('A restart at every persist boundary');
  summary.say(
    'One run, many times: 1 is elected and proposes a, then b. At one write one replica crashes and restarts.',
  );
  summary.say('Lost: the write never reached the disk. Kept: it did, and what hangs on it was never sent.');
  let boundaries = 0;
  for (const victim of [1, 2, 3]) {
    for (const fate of ['lost', 'kept'] as const) {
      summary.note('');
      for (let write = 1; ; write++) {
        const outcome = crashAtWrite(victim, write, fate);
        if (outcome === undefined) break;
        boundaries++;
        summary.note(outcome);
      }
    }
  }
  // Each replica writes at least its promise, the no-op and two values.
  expect(boundaries).toBeGreaterThanOrEqual(3 * 2 * 4);
  return summary;
}

/** One run with a crash at the n-th write of a replica; undefined when it never begins so many. */
function crashAtWrite(victim: number, write: number, fate: 'lost' | 'kept'): string | undefined {
  const stage = new Stage('one run');
  let crash: { readonly what: string; readonly chosen: readonly string[] } | undefined;
  stage.once(
    () => stage.isServing(1),
    () => stage.propose(1, 'a'),
  );
  stage.once(
    () => stage.answers.includes('a chosen') && stage.isServing(1),
    () => stage.propose(1, 'b'),
  );
  stage.once(
    () => stage.writesBegun(victim) >= write,
    () => {
      crash = { what: stage.recordsUnderWay(victim), chosen: [...stage.chosen.values()] };
      stage.crash(victim, fate === 'kept' ? stage.writesUnderWay(victim) : 0);
      stage.restart(victim);
    },
  );
  stage.run(1_400);
  if (crash === undefined) return undefined;
  const [one, two, three] = [1, 2, 3].map((id) => stage.values(id).join(' '));
  // What was chosen stays chosen, everybody agrees, and the preferred leader leads again.
  expect([...stage.chosen.values()].slice(0, crash.chosen.length)).toEqual(crash.chosen);
  expect([two, three]).toEqual([one, one]);
  expect(stage.isServing(1)).toBe(true);
  for (const answer of stage.answers.filter((each) => each.endsWith(' chosen')))
    expect(one!.split(' ')).toContain(answer.split(' ')[0]);
  return `r${victim} write ${write} ${fate} (${crash.what}): all hold ${one}; served ${stage.served.join(', ')}`;
}

function deadOrSlow(): Stage {
  const stage = new Stage('A leader that stalls keeps its place, and one that dies is replaced at once', {
    leaseMs: 15,
  });
  stage.mute(true);
  serveFirst(stage);
  stage.say('Follower 2 stalls for two election timeouts. It excuses that time and blames nobody.');
  stage.stall(2, 80);
  stage.run(120);
  expect(stage.served).toEqual(['r1 1.2@1']);
  stage.say('The leader stalls just below the timeout, and from then on more silence is taken for slowness.');
  stage.stall(1, 28);
  stage.run(60);
  stage.stall(1, 60);
  stage.run(100);
  expect(stage.served).toEqual(['r1 1.2@1']);
  stage.mute(false);
  stage.say(
    'Replica 1 dies, and its connections are refused. Its lease grants are kept to, no silence is waited for.',
  );
  stage.crash(1);
  const diedAt = stage.time;
  stage.run(2);
  stage.tellDied(2, 1);
  stage.tellDied(3, 1);
  stage.runUntil('replica 2 serves', () => stage.isServing(2));
  expect(stage.time - diedAt).toBeLessThanOrEqual(30);
  expect(stage.served).toEqual(['r1 1.2@1', 'r2 2.1@2']);
  return stage;
}

function returningLeader(): Stage {
  const stage = new Stage('A returning old leader: its ballot is refused, its open value gives way');
  stage.mute(true);
  serveFirst(stage);
  stage.mute(false);
  stage.say('Replica 1 leads and is cut off. Its Accepts of a last value are stuck in the network.');
  stage.post(({ message }) => (message.kind === 'accept' ? 'hold' : 'deliver'));
  stage.propose(1, 'open');
  stage.post(() => 'deliver');
  stage.isolate(1);
  stage.say('Without a quorum it stops leading, and tells its client that the outcome is unknown.');
  stage.runUntil('replica 1 gives up', () => stage.status(1).leadership.role === 'follower');
  expect(stage.answers).toEqual(['open outcome-unknown']);
  expect(stage.status(1).leaseUntil).toBeUndefined();
  stage.say('Replica 2 is elected and writes into the same slot.');
  stage.runUntil('replica 2 serves', () => stage.isServing(2));
  stage.propose(2, 'kept');
  stage.runUntil('kept is chosen', () => stage.answers.includes('kept chosen'));
  stage.say('The old Accepts arrive at last, and are refused: the promise of 2 and 3 is higher.');
  const held = [2, 3].map((id) => stage.status(id).lastSlot);
  stage.release();
  stage.run(3);
  expect([2, 3].map((id) => stage.status(id).lastSlot)).toEqual(held);
  expect([...stage.chosen.values()]).not.toContain('open');
  stage.say("Replica 1 returns: it follows, and the leader's values replace its own.");
  stage.heal();
  stage.runUntil('replica 1 caught up', () => stage.values(1).includes('kept'));
  expect(stage.values(1)).toEqual(['noop', 'noop', 'kept']);
  stage.say('Steady for twenty election timeouts, it gets the leadership back by an orderly hand-over.');
  stage.runUntil('replica 1 serves again', () => stage.isServing(1));
  stage.run(20);
  for (const id of [1, 2, 3]) expect(stage.values(id)).toEqual(['noop', 'noop', 'kept', 'noop']);
  expect(stage.served.map((each) => each.split(' ')[0])).toEqual(['r1', 'r2', 'r1']);
  return stage;
}

function handOver(): Stage {
  const stage = new Stage(
    'An orderly hand-over: everything chosen first, the lease given up, then the transferee told',
  );
  stage.mute(true);
  serveFirst(stage);
  stage.mute(false);
  stage.say('A proposal is under way when the transfer is asked for: the hand-over waits for it.');
  stage.propose(1, 'a');
  stage.transfer(1, 2);
  stage.propose(1, 'late');
  stage.runUntil('replica 2 serves', () => stage.isServing(2));
  expect(stage.answers).toEqual(['late not-leader', 'a chosen']);
  stage.run(20);
  for (const id of [1, 2, 3]) expect(stage.values(id)).toEqual(['noop', 'a', 'noop']);
  expect(stage.served).toEqual(['r1 1.2@1', 'r2 2.1@2']);
  return stage;
}
