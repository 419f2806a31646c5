import { describe, expect, it } from '@jest/globals';
import {
  type OffsetChange,
  offsetOf,
  planDeletion,
  type PlanFacts,
  planOffsets,
  PlanProblem,
  planReset,
  resetTarget,
  selectionOf,
} from '../../../src/admin/offset-plans.js';
import { type Int64, topicId, topicName, wallMs } from '../../../src/kernel/index.js';

const T = topicName('t');
const topic = { name: T, id: topicId('id-t'), partitions: 3 };
const committed = (name: string, partition: number, offset: Int64) => ({
  topic: topicName(name),
  topicId: 'id-t',
  partition,
  offset,
  leaderEpoch: -1,
  metadata: '',
  committedAt: wallMs(1),
});
const BIG = 2n ** 62n;
const facts: PlanFacts = {
  topicOf: (name) => (name === T ? topic : undefined),
  endOf: (_, partition) => 1_000 + partition,
  committed: [committed('t', 0, 50), committed('t', 2, BIG), committed('gone', 0, 7)],
};
const short = (changes: readonly OffsetChange[]): string[] =>
  changes.map(({ topic: name, partition, from, to }) => `${name}/${partition} ${from} > ${to}`);
const reset = (to: string, ...topics: readonly string[]): string[] =>
  short(
    planReset(resetTarget(to)!, topics.length === 0 ? null : topics.map((each) => selectionOf(each)!), facts),
  );

describe('a plan of offsets', () => {
  it.each([
    ['earliest', [], ['t/0 50 > 0', `t/2 ${BIG} > 0`]],
    ['latest', [], ['t/0 50 > 1000', `t/2 ${BIG} > 1002`]],
    ['12', [], ['t/0 50 > 12', `t/2 ${BIG} > 12`]],
    ['+10', [], ['t/0 50 > 60', `t/2 ${BIG} > ${BIG + 10n}`]],
    ['-60', [], ['t/0 50 > 0', `t/2 ${BIG} > ${BIG - 60n}`]],
    ['latest', ['t'], ['t/0 50 > 1000', 't/1 null > 1001', `t/2 ${BIG} > 1002`]],
    ['latest', ['t:1'], ['t/1 null > 1001']],
    // There is nothing to count from.
    ['+1', ['t:0,1'], ['t/0 50 > 51']],
  ])('resets to %s', (to, topics, wanted) => expect(reset(to, ...topics)).toEqual(wanted));

  it('refuses what is not there, and an offset of more than 64 bits', () => {
    expect(() => reset('earliest', 'nowhere')).toThrow(PlanProblem);
    expect(() => reset('earliest', 't:3')).toThrow(PlanProblem);
    expect(() => reset(`+${2n ** 62n}`, 't:2')).toThrow(PlanProblem);
    expect(() => planOffsets([{ topic: T, partition: 9, offset: 1 }], facts)).toThrow(PlanProblem);
  });

  it('sets and deletes one by one', () => {
    const wanted = [
      { topic: T, partition: 2, offset: 5 },
      { topic: T, partition: 1, offset: BIG },
    ];
    expect(short(planOffsets(wanted, facts))).toEqual([`t/2 ${BIG} > 5`, `t/1 null > ${BIG}`]);
    expect(short(planDeletion([selectionOf('t:0,1')!], facts))).toEqual(['t/0 50 > null']);
    // Also what was committed for a topic that is gone.
    expect(short(planDeletion(null, facts))).toHaveLength(3);
  });

  it.each(['yesterday', '', '+', '1.5', '-', '9223372036854775808', '1e3'])('has no target "%s"', (text) =>
    expect(resetTarget(text)).toBeUndefined(),
  );
  it.each([':', 't:', 't:x', ':1', 't:1,', ''])('has no selection "%s"', (text) =>
    expect(selectionOf(text)).toBeUndefined(),
  );
  it.each([-1, 1.5, 2 ** 53, '-1', ' 1', null, undefined, {}])('has no offset %p', (value) =>
    expect(offsetOf(value)).toBeUndefined(),
  );
});
