import { expect } from '@jest/globals';
import { Stage } from './stage.js';

/** Replica 4 takes the place of replica 3 while clients go on. */
export function replacedByASeal(): Stage {
  const stage = new Stage('A seal: replica 4 takes the place of replica 3', { replicas: 4, members: 3 });
  stage.mute(true);
  stage.runUntil('replica 1 serves', () => stage.isServing(1));
  stage.run(44);
  stage.mute(false);
  stage.say('Replica 4 is in no configuration yet. It learns by asking, and answers no prepare.');
  stage.propose(1, 'a');
  stage.runUntil('replica 4 has it', () => stage.values(4).length === 2);
  expect(stage.status(1).learners).toMatchObject([{ id: 4 }]);
  expect(stage.status(4).votes).toBe(false);
  stage.say('The leader seals the log. What is proposed behind the seal waits for the next configuration.');
  const sealedAt = stage.time;
  stage.reconfigure(1, 1, 2, 4);
  stage.propose(1, 'b');
  expect(stage.status(1)).toMatchObject({ queued: 1, lastSlot: 3 });
  stage.runUntil('the seal is chosen', () => stage.answers.includes('seal(configuration 2: 1 2 4) chosen'));
  stage.say('It campaigns at once in configuration 2, whose acceptors have promised nothing yet.');
  stage.runUntil('what waited is chosen', () => stage.answers.includes('b chosen'));
  expect(stage.answers).toEqual(['a chosen', 'seal(configuration 2: 1 2 4) chosen', 'b chosen']);
  expect(stage.time - sealedAt).toBeLessThan(12);
  stage.say('Replica 3 has no vote any more. It still learns.');
  stage.run(60);
  for (const id of [1, 2, 3, 4]) {
    expect(stage.values(id)).toEqual(['noop', 'a', 'seal(configuration 2: 1 2 4)', 'noop', 'b']);
    expect(stage.status(id)).toMatchObject({ since: 3, votes: id !== 3, configuration: { number: 2 } });
  }
  expect(stage.isServing(1)).toBe(true);
  stage.say('A second seal leaves replica 1 alone: the cluster is one replica.');
  stage.reconfigure(1, 1);
  stage.runUntil('replica 1 serves', () => stage.status(1).configuration.number === 3 && stage.isServing(1));
  stage.propose(1, 'c');
  stage.runUntil('alone', () => stage.answers.includes('c chosen'));
  return stage;
}
