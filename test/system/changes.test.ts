import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { EndsJson, GroupDetailJson, OffsetChangesJson, OffsetsJson } from '../../src/admin/index.js';
import { Cluster } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { quorate as run } from '../harness/quorate-command.js';
import { eventually } from '../harness/waiting.js';

jest.setTimeout(240_000);

describe('what an operator changes', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic('tenants', 3);
    await cluster.createTopic('orders', 2);
  }, 120_000);
  afterAll(() => cluster.close(), 60_000);

  const quorate = (...args: string[]) => run(cluster, ...args);
  let asked = 0;
  /** Another replica with each request. Leaders move on a busy machine: whoever does not know is asked again. */
  const http = <T>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: T }> =>
    eventually('a replica that knows', 30_000, async () => {
      const response = await fetch(`${cluster.replica(1 + (asked++ % 3)).http}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const answer = { status: response.status, body: (await response.json()) as T };
      return response.status === 503 ? undefined : answer;
    });
  const set = (group: string, topic: string, offsets: readonly (readonly [number, string])[]) =>
    http<OffsetChangesJson>('POST', `/group/offsets?id=${encodeURIComponent(group)}`, {
      offsets: offsets.map(([partition, offset]) => ({ topic, partition, offset })),
      execute: true,
    });
  /** `topic partition: offset of end, lag`, at the next replica. */
  const shown = async (group: string): Promise<string[]> => {
    const { body } = await http<OffsetsJson>('GET', `/group/offsets?id=${encodeURIComponent(group)}`);
    return body.offsets.map(
      ({ topic, partition, offset, end, lag }) => `${topic} ${partition}: ${offset} of ${end}, ${lag}`,
    );
  };
  const memberOf = async (group: string): Promise<GroupMember> => {
    const member = new GroupMember({
      bootstrap: cluster.bootstrap,
      group,
      topic: 'tenants',
      partitions: 3,
      sessionTimeoutMs: 60_000,
    });
    await member.start();
    return member;
  };

  it('offsets: set, shown with end and lag at every replica at once, reset, deleted; first as a plan', async () => {
    const wanted = [
      [0, '100'],
      [1, '9223372036854775807'],
    ] as const;
    expect(await set('plans', 'tenants', wanted)).toMatchObject({
      status: 200,
      body: { group: 'plans', executed: true, offsets: [{ from: null, to: '100' }, {}] },
    });
    const both = ['tenants 0: 100 of 100, 0', 'tenants 1: 9223372036854775807 of 9223372036854775807, 0'];
    for (let replica = 0; replica < 3; replica++) expect(await shown('plans')).toEqual(both);
    const reset = (body: object) => http<OffsetChangesJson>('POST', '/groups/plans/offsets/reset', body);
    const plan = { executed: false, offsets: [{ topic: 'tenants', partition: 0, from: '100', to: '0' }, {}] };
    expect((await reset({ to: 'earliest' })).body).toMatchObject(plan);
    expect(await shown('plans')).toEqual(both);
    expect((await reset({ to: 'earliest', execute: true })).body).toMatchObject({ ...plan, executed: true });
    // The ends stay where they were: this is what is to be done again.
    expect((await shown('plans'))[0]).toBe('tenants 0: 0 of 100, 100');
    await reset({ to: '+30', topics: ['tenants:0'], execute: true });
    expect((await shown('plans'))[0]).toBe('tenants 0: 30 of 100, 70');
    await reset({ to: '-999', topics: ['tenants:0'], execute: true });
    expect((await shown('plans'))[0]).toBe('tenants 0: 0 of 100, 100');
    await reset({ to: 'latest', topics: ['tenants'], execute: true });
    expect(await shown('plans')).toEqual([...both, 'tenants 2: 0 of 0, 0']);
    expect(await quorate('offsets', 'delete', 'plans', '--topic', 'tenants:1,2', '--execute')).toMatchObject({
      code: 0,
    });
    // The furthest was deleted: nothing remains that went as far.
    expect((await http<EndsJson>('GET', '/topics/tenants/ends')).body.ends).toEqual([
      { partition: 0, end: '100' },
      { partition: 1, end: '0' },
      { partition: 2, end: '0' },
    ]);
    expect(await shown('plans')).toEqual(['tenants 0: 100 of 100, 0']);
  });

  it('offsets over the command line: shown first, done with --execute, as JSON with --json', async () => {
    await set('cli', 'orders', [[0, '70']]);
    const show = await quorate('offsets', 'show', 'cli');
    expect(show.text).toMatch(/TOPIC +PARTITION +OFFSET +END +LAG.*\norders +0 +70 +70 +0 /);
    const plan = await quorate('offsets', 'reset', 'cli', '--to', '20');
    expect(plan.text).toMatch(/orders +0 +70 +20\n\nNothing was changed. To do it, add --execute\./);
    expect(await shown('cli')).toEqual(['orders 0: 70 of 70, 0']);
    const done = await quorate('offsets', 'reset', 'cli', '--to', '-20', '--execute', '--json');
    expect(JSON.parse(done.text)).toMatchObject({ executed: true, offsets: [{ from: '70', to: '50' }] });
    expect((await quorate('offsets', 'set', 'cli', 'orders', '0=5', '1=6', '--execute')).text).toMatch(
      /Done\./,
    );
    expect(await shown('cli')).toEqual(['orders 0: 5 of 70, 65', 'orders 1: 6 of 6, 0']);
    expect((await quorate('offsets', 'set', 'cli', 'orders', 'zero')).code).toBe(2);
    expect((await quorate('offsets', 'reset', 'cli')).code).toBe(2);
    expect((await quorate('offsets', 'reset', 'cli', '--to', 'yesterday')).code).toBe(1);
    expect((await quorate('offsets', 'reset', 'cli', '--to', '1', '--topic', 'nowhere')).code).toBe(1);
  });

  it('nothing of a group that has members; members are removed, groups deleted', async () => {
    const member = await memberOf('busy');
    await member.commit(0, 8);
    for (const execute of [false, true]) {
      const body = { to: 'earliest', execute };
      expect(await http('POST', '/groups/busy/offsets/reset', body)).toMatchObject({ status: 409 });
    }
    expect(await http('DELETE', '/groups/busy/offsets?topic=tenants&execute')).toMatchObject({
      status: 409,
      body: { title: 'GROUP_SUBSCRIBED_TO_TOPIC' },
    });
    expect(await http('DELETE', '/groups/busy')).toMatchObject({
      status: 409,
      body: { title: 'NON_EMPTY_GROUP' },
    });
    expect((await quorate('groups', 'delete', 'busy')).code).toBe(1);
    expect((await quorate('groups', 'remove-members', 'busy')).code).toBe(2);
    expect((await quorate('groups', 'remove-members', 'busy', 'nobody')).code).toBe(1);
    await member.abandon();
    expect((await quorate('groups', 'remove-members', 'busy', '--all')).text).toMatch(/1 members removed/);
    expect((await http<GroupDetailJson>('GET', '/groups/busy')).body.members).toEqual([]);
    expect(await quorate('groups', 'delete', 'busy')).toMatchObject({
      code: 0,
      text: 'group "busy" is deleted',
    });
    expect(await http('DELETE', '/groups/busy')).toMatchObject({ status: 404 });
  });

  it.each(['.', '..', '', 'a/b', 'ü %?#&', '../x'])(
    'a group named "%s" is made, shown, changed and deleted as any other',
    async (name) => {
      const of = (part = '', query = '') => `/group${part}?id=${encodeURIComponent(name)}${query}`;
      expect(await set(name, 'orders', [[1, '12']])).toMatchObject({ status: 200, body: { group: name } });
      for (const part of ['', '/offsets', '/rebalances', '/fences'])
        expect([part, (await http('GET', of(part))).status]).toEqual([part, 200]);
      expect((await quorate('groups', 'describe', name)).text).toMatch(/Empty[^]*orders +1 +12/);
      expect(await quorate('offsets', 'reset', name, '--to', '3', '--execute')).toMatchObject({ code: 0 });
      expect((await shown(name))[0]).toMatch(/^orders 1: 3 of/);
      expect(await quorate('groups', 'delete', name)).toMatchObject({ code: 0 });
      expect((await http('DELETE', of())).status).toBe(404);
      expect((await http('GET', of())).status).toBe(404);
    },
  );

  it('topics grow; how far their source is, is said, and set back', async () => {
    await cluster.createTopic('source', 2);
    expect(await http('PATCH', '/topics/source', { partitions: 3 })).toMatchObject({
      status: 200,
      body: { partitions: 3 },
    });
    expect(await http('PATCH', '/topics/source', { partitions: 2 })).toMatchObject({ status: 400 });
    expect(await quorate('topics', 'grow', 'source', '4')).toMatchObject({ code: 0 });
    expect((await quorate('topics', 'grow', 'source', 'many')).code).toBe(2);
    await set('reader', 'source', [[0, '10']]);
    const said = await quorate('topics', 'set-ends', 'source', '0=1000', '3=7');
    expect(said).toMatchObject({ code: 0 });
    expect(said.text).toMatch(/source +0 +1000\nsource +1 +0\nsource +2 +0\nsource +3 +7/);
    for (let replica = 0; replica < 3; replica++)
      expect(await shown('reader')).toEqual(['source 0: 10 of 1000, 990']);
    // An end that is behind a commit is not taken, and with --back it is; lag is never below 0.
    const ends = (body: object) => http<EndsJson>('POST', '/topics/source/ends', body);
    expect((await ends({ ends: { 0: '4' } })).body.ends[0]).toEqual({ partition: 0, end: '1000' });
    expect((await ends({ ends: { 0: '4' }, back: true })).body.ends[0]).toEqual({ partition: 0, end: '4' });
    for (let replica = 0; replica < 3; replica++)
      expect(await shown('reader')).toEqual(['source 0: 10 of 4, 0']);
    expect((await ends({ ends: { 9: '4' } })).status).toBe(404);
    for (const wrong of [{}, { ends: {} }, { ends: { 0: '-1' } }, { ends: { x: 1 } }, { ends: [1] }])
      expect((await ends(wrong)).status).toBe(400);
    expect((await quorate('topics', 'ends', 'source')).text).toMatch(/source +0 +4\n/);
  });

  it('metrics tell the lag of each group and topic, at the replica that coordinates the group', async () => {
    await set('measured', 'orders', [[0, '1']]);
    await set('ahead', 'orders', [[0, '90']]);
    const lines = async () => {
      const texts = await Promise.all(
        cluster.replicas.map(async (replica) => (await fetch(`${replica.http}/metrics`)).text()),
      );
      return texts
        .join('')
        .split('\n')
        .filter((line) => line.startsWith('quorate_group_lag{'));
    };
    await eventually('all have applied it', 30_000, async () =>
      (await lines()).includes('quorate_group_lag{group="measured",topic="orders"} 89'),
    );
    // A coordinator that moves may show at two replicas, or none, for a moment.
    const all = await eventually('one replica tells the lag of the group', 30_000, async () => {
      const found = await lines();
      return found.filter((line) => line.includes('"measured"')).length === 1 && found;
    });
    for (const line of all) expect(Number(line.split(' ').at(-1))).toBeGreaterThanOrEqual(0);
  });
});
