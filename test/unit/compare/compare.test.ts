import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { APIS } from '../../../src/wire/index.js';
import { compare } from '../../compare/compare.js';
import { filled } from '../../compare/fill.js';
import { generate, type Versions } from '../../compare/generate.js';
import { differencesPage } from '../../compare/page.js';
import { plain } from '../../compare/plain.js';
import type { Sequence, Step } from '../../compare/sequence.js';

const VERSIONS: Versions = Object.fromEntries(
  Object.values(APIS).map(({ name, minVersion, maxVersion }) => [name, [minVersion, maxVersion]]),
);
const sequence = (...steps: Step[]): Sequence => ({ seed: 1, groups: { A: 'g' }, clients: {}, steps });
const heartbeat: Step = { kind: 'ask', client: 'ada', api: 'Heartbeat', version: 4, body: {} };
const join = (client: string): Step => ({
  kind: 'ask',
  client,
  api: 'JoinGroup',
  version: 9,
  body: { memberId: { $id: client }, groupInstanceId: null, protocols: [] },
});

describe('comparing with a Kafka', () => {
  it('a seed makes the same sequence again, and speaks every version of every API of groups', () => {
    expect(generate(7, VERSIONS)).toEqual(generate(7, VERSIONS));
    const spoken = new Map<string, Set<number>>();
    for (let seed = 1; seed <= 1_000; seed++) {
      for (const step of generate(seed, VERSIONS).steps) {
        if (step.kind !== 'ask') continue;
        spoken.set(step.api, (spoken.get(step.api) ?? new Set()).add(step.version));
      }
    }
    const all = [
      'FindCoordinator',
      'JoinGroup',
      'SyncGroup',
      'Heartbeat',
      'LeaveGroup',
      'OffsetCommit',
      'OffsetFetch',
    ];
    for (const api of [
      ...all,
      'OffsetDelete',
      'DescribeGroups',
      'ListGroups',
      'DeleteGroups',
      'ListOffsets',
    ]) {
      const [min, max] = VERSIONS[api]!;
      expect([api, spoken.get(api)?.size]).toEqual([api, max - min + 1]);
    }
  });

  it('a field that differs is found, with the request and its place', () => {
    const { unexplained, steps } = compare(
      sequence(heartbeat, heartbeat),
      [{ answers: { 0: { errorCode: 0 } } }, { answers: { 1: { errorCode: 25 } } }],
      [{ answers: { 0: { errorCode: 0 } } }, { answers: { 1: { errorCode: 22 } } }],
    );
    expect(unexplained).toMatchObject([
      { step: 1, api: 'Heartbeat', path: 'errorCode', kafka: 25, quorate: 22 },
    ]);
    expect(steps).toBe(2);
  });

  it('an answer that only one of them gave is found, and a connection that only one of them closed', () => {
    const found = (theirs: object, ours: object) =>
      compare(sequence(heartbeat), [{ answers: {}, ...theirs }], [{ answers: {}, ...ours }]).unexplained
        .length;
    expect(found({ answers: { 0: { errorCode: 0 } } }, {})).toBe(1);
    expect(found({}, { closed: [0] })).toBe(1);
    expect(found({ closed: [0] }, { closed: [0] })).toBe(0);
  });

  it('a list of another length differs, and its order does not matter', () => {
    const names = { texts: new Map<string, string>(), generationBase: 0 };
    const [one, other] = [
      [{ name: 'b' }, { name: 'a' }],
      [{ name: 'a' }, { name: 'b' }],
    ].map((topics) => ({ answers: { 0: plain({ topics, throttleTimeMs: Math.random() }, names) } }));
    expect(compare(sequence(heartbeat), [one!], [other!]).unexplained).toEqual([]);
    const fewer = { answers: { 0: { topics: [] } } };
    expect(compare(sequence(heartbeat), [one!], [fewer]).unexplained).toHaveLength(1);
  });

  it('only a JoinGroup that was sent again may stay without an answer', () => {
    const answered = { answers: { 0: { errorCode: 0, generationId: 2 } } };
    const none = { answers: {} };
    const twice = compare(sequence(join('ada'), join('ada')), [none, none], [none, answered]);
    expect([twice.unexplained, twice.explained]).toEqual([
      [],
      ['a JoinGroup or SyncGroup that was sent again'],
    ]);
    expect(
      compare(sequence(join('ada'), join('ben')), [none, none], [none, answered]).unexplained,
    ).toHaveLength(1);
  });

  it('after the two groups have parted nothing more is compared', () => {
    const led = (leader: string) => ({ answers: { 0: { errorCode: 0, generationId: 2, leader } } });
    const { explained, steps } = compare(
      sequence(join('ada'), heartbeat),
      [led('ada id 1'), { answers: { 1: 1 } }],
      [led('ben id 1'), { answers: { 1: 2 } }],
    );
    expect([explained, steps]).toEqual([['the choice of a leader'], 1]);
  });

  it('ids and generations get the names of the run', () => {
    const known = {
      group: (name: string) => `run-${name}`,
      memberId: (client: string, back: number) => `${client}-${back}`,
      generation: (_client: string, plus: number) => 7 + plus,
      leads: () => false,
      topicId: () => 'id',
    };
    const body = {
      groupId: { $group: 'A' },
      generationId: { $generation: 'ada', plus: -1 },
      members: [{ $id: 'ada', back: 1 }],
    };
    expect(filled(body, known)).toEqual({ groupId: 'run-A', generationId: 6, members: ['ada-1'] });
    const texts = new Map([['ada-uuid', 'ada id 1']]);
    const answer = {
      memberId: 'ada-uuid',
      generationId: 12,
      offset: 9_007_199_254_740_993n,
      metadata: Buffer.from('x'),
    };
    expect(plain(answer, { texts, generationBase: 10 })).toEqual({
      memberId: 'ada id 1',
      generationId: 2,
      offset: '9007199254740993',
      metadata: 'base64:eA==',
    });
  });

  it('docs/differences.md is the list', () => {
    expect(readFileSync('docs/differences.md', 'utf8')).toBe(differencesPage());
  });
});
