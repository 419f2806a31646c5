import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { Cluster, ROOT } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { quorate as run } from '../harness/quorate-command.js';
import { eventually } from '../harness/waiting.js';

const GROUP = 'billing';
const TOPIC = 'tenants';

describe('HTTP and the command line', () => {
  let cluster: Cluster;
  let member: GroupMember;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic(TOPIC, 4);
    member = new GroupMember({
      bootstrap: cluster.bootstrap,
      group: GROUP,
      topic: TOPIC,
      partitions: 4,
      sessionTimeoutMs: 60_000,
    });
    await member.start();
    expect(await member.commit(2, 41)).toBe(0);
  }, 120_000);
  afterAll(async () => {
    await member.leave();
    await cluster.close();
  }, 30_000);

  /** Leaders move on a busy machine: a replica that does not know is asked again. */
  const get = (path: string, replica = 1): Promise<{ status: number; body: unknown; type: string }> =>
    eventually('the replica knows', 30_000, async () => {
      const response = await fetch(`${cluster.replica(replica).http}${path}`);
      const type = response.headers.get('content-type') ?? '';
      const text = await response.text();
      if (response.status === 503) return undefined;
      return {
        status: response.status,
        body: type.includes('json') ? (JSON.parse(text) as unknown) : text,
        type,
      };
    });
  const send = (method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> =>
    eventually('a replica that knows', 30_000, async () => {
      const response = await fetch(`${cluster.replica(2).http}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      return response.status !== 503 && { status: response.status, body: await response.json() };
    });
  const quorate = (...args: string[]) => run(cluster, ...args);

  it('is alive and ready on every replica', async () => {
    for (const { id } of cluster.replicas) {
      expect((await get('/health/live', id)).body).toEqual({ status: 'ok', reasons: [] });
      expect(await get('/health/ready', id)).toMatchObject({ status: 200, body: { status: 'ok' } });
    }
  });

  it('shows groups, members, offsets, rebalances and fences on every replica', async () => {
    for (const { id } of cluster.replicas) {
      expect((await get('/groups', id)).body).toMatchObject({
        groups: [{ group: GROUP, state: 'Stable', members: 1, generation: member.generation }],
      });
      expect((await get(`/groups/${GROUP}`, id)).body).toMatchObject({
        asOf: { replica: id },
        group: { group: GROUP, groupLeader: member.memberId },
        members: [{ memberId: member.memberId, partitions: [{ topic: TOPIC, partitions: [0, 1, 2, 3] }] }],
      });
      expect((await get(`/groups/${GROUP}/offsets`, id)).body).toMatchObject({
        offsets: [{ topic: TOPIC, partition: 2, offset: '41' }],
      });
      expect((await get(`/groups/${GROUP}/rebalances`, id)).body).toMatchObject({
        rebalances: [
          {
            trigger: { cause: 'member-joined', memberId: member.memberId },
            outcome: 'stable',
            generation: 1,
            members: 1,
            stragglers: [],
            partitionsMoved: 4,
          },
        ],
      });
      const fences = (await get(`/groups/${GROUP}/fences`, id)).body as {
        fences: readonly { scope: string; owner: string; token: number }[];
      };
      expect(fences.fences.map(({ scope }) => scope)).toEqual(
        [0, 1, 2, 3].map((partition) => `${GROUP}/${TOPIC}/${partition}`),
      );
      for (const { owner, token } of fences.fences) {
        expect(owner).toBe(member.memberId);
        expect(token).toBeGreaterThan(0);
      }
    }
  });

  it('answers with a problem what is not there', async () => {
    for (const path of [
      '/groups/nobody',
      '/groups/nobody/offsets',
      '/groups/nobody/rebalances',
      '/nothing',
    ]) {
      const { status, body, type } = await get(path);
      expect(status).toBe(404);
      expect(body).toMatchObject({ status: 404, type: 'about:blank' });
      expect((body as { detail: string }).detail.length).toBeGreaterThan(10);
      expect(type).toMatch(/application\/problem\+json/);
    }
    const response = await fetch(`${cluster.replica(1).http}/topics`, {
      method: 'POST',
      body: '{',
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toMatch(/application\/problem\+json/);
  });

  it('reads JSON only: a form that was sent by mistake is refused and not written', async () => {
    const send = (method: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${cluster.replica(1).http}${path}`, {
        method,
        body: '{"balance":0}',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      });
    const put = await send('PUT', '/records/forms/a', { 'if-none-match': '*' });
    expect([put.status, await put.json()]).toEqual([
      400,
      expect.objectContaining({
        detail: expect.stringMatching(/JSON object.*content-type: application\/json/) as unknown,
      }),
    ]);
    expect((await send('POST', '/topics')).status).toBe(400);
  });

  it('gives an ETag to nothing but a record', async () => {
    for (const path of ['/status', '/groups', '/records/forms', '/seals/forms/x']) {
      const { status, headers } = await eventually('the replica knows', 30_000, async () => {
        const response = await fetch(`${cluster.replica(1).http}${path}`);
        return response.status !== 503 && response;
      });
      expect([path, status, headers.get('etag')]).toEqual([path, 200, null]);
    }
  });

  it('makes and deletes topics, whichever replica is asked, and says what is wrong with a request', async () => {
    expect(await send('POST', '/topics', { name: 'invoices', partitions: 3 })).toMatchObject({
      status: 201,
      body: { name: 'invoices', partitions: 3 },
    });
    expect(await send('POST', '/topics', { name: 'invoices', partitions: 3 })).toMatchObject({ status: 409 });
    for (const wrong of [
      { name: 'no/slash', partitions: 1 },
      { name: 'x', partitions: 0 },
      { name: 'x', partitions: 1.25 },
      { name: 'x', partitions: -1.5 },
      { name: 'x', partitions: 1e300 },
      { partitions: 3 },
      {},
    ]) {
      const { status, body } = await send('POST', '/topics', wrong);
      expect(status).toBe(400);
      expect((body as { detail: string }).detail.length).toBeGreaterThan(10);
    }
    expect(await send('DELETE', '/topics/invoices')).toMatchObject({ status: 200 });
    expect(await send('DELETE', '/topics/invoices')).toMatchObject({ status: 404 });
  });

  it('has metrics that a scraper reads', async () => {
    const { status, body, type } = await get('/metrics');
    expect(status).toBe(200);
    expect(type).toMatch(/text\/plain/);
    for (const line of (body as string).split('\n').filter((each) => each !== ''))
      expect(line).toMatch(/^(# (HELP|TYPE) quorate_\w+ .+|quorate_\w+(\{[^}]*\})? -?[0-9.e+]+)$/);
  });

  it('prints tables, and the JSON of the HTTP API with --json', async () => {
    const status = await quorate('status');
    expect(status).toMatchObject({ code: 0 });
    expect(status.text).toMatch(/ready\n.*peers: .*up/);
    expect((await quorate('groups')).text).toMatch(/GROUP +STATE +GENERATION.*\nbilling +Stable +1 /);
    expect((await quorate('groups', 'describe', GROUP)).text).toMatch(
      /tenants\[0-3\].*\n[^]*tenants +2 +41 +41 +0 /,
    );
    const described = JSON.parse((await quorate('groups', 'describe', GROUP, '--json')).text) as object;
    expect(described).toMatchObject({ group: { group: GROUP }, offsets: [{ offset: '41' }] });
    expect(JSON.parse((await quorate('status', '--json')).text)).toMatchObject({ ready: true });
    expect(await quorate('topics', 'create', 'orders', '--partitions', '5')).toMatchObject({ code: 0 });
    expect((await quorate('topics', 'list')).text).toMatch(/orders +5/);
    expect(await quorate('topics', 'delete', 'orders', '--json')).toMatchObject({ code: 0 });
  }, 240_000);

  it('shows members, rebalances and fences of a group', async () => {
    const members = await quorate('groups', 'members', GROUP);
    expect(members).toMatchObject({ code: 0 });
    expect(members.text).toMatch(/CLIENT +MEMBER +INSTANCE.*\n.*working +tenants\[0-3\]/);
    expect((await quorate('groups', 'rebalances', GROUP)).text).toMatch(
      /GENERATION +STARTED.*\n +1 +\S+ +stable .* member-joined /,
    );
    expect((await quorate('groups', 'fences', GROUP)).text).toMatch(
      new RegExp(`SCOPE.*\\nbilling/tenants/0 +\\d+ +1 +${member.memberId}`),
    );
    for (const view of ['members', 'rebalances', 'fences']) {
      const json = JSON.parse((await quorate('groups', view, GROUP, '--json')).text) as object;
      expect(json).toHaveProperty(view);
      expect(await quorate('groups', view, 'nobody')).toMatchObject({ code: 1 });
    }
  }, 240_000);

  it('cannot drain other clients, and says what to do', async () => {
    const other = await quorate('groups', 'drain', GROUP, '--all', '--timeout-ms', '1000');
    expect(other.code).toBe(1);
    expect(other.text).toMatch(new RegExp(`${member.memberId} .*did not leave within 1000 ms.*groups evict`));
    expect(await quorate('groups', 'drain', GROUP)).toMatchObject({ code: 2 });
    const nobody = await quorate('groups', 'drain', GROUP, 'nobody');
    expect([nobody.code, nobody.text]).toEqual([1, expect.stringContaining('groups members billing')]);
  }, 60_000);

  it('follows a group that comes, shares out and goes', async () => {
    const watching = (...args: string[]): Child =>
      new Child('watch', process.execPath, ['dist/bin.js', 'groups', 'watch', 'seen', ...args], {
        cwd: ROOT,
        env: { QUORATE_URL: cluster.replicas.map(({ http }) => http).join(',') },
      });
    const watches = [watching('--interval-ms', '100'), watching('--interval-ms', '100', '--json')];
    const all = (text: RegExp): Promise<unknown> =>
      eventually(`each prints ${text}`, 60_000, () =>
        watches.every(({ lines }) => lines.some((line) => text.test(line))),
      );
    try {
      await all(/there is no such group yet|"kind":"seen"/);
      const seen = new GroupMember({
        bootstrap: cluster.bootstrap,
        group: 'seen',
        topic: TOPIC,
        partitions: 4,
      });
      await seen.start();
      await all(/generation 1 is stable|"kind":"rebalance-ended","generation":1,"outcome":"stable"/);
      await all(new RegExp(`tenants\\[0-3\\]: nobody -> ${seen.memberId}|"to":"${seen.memberId}"`));
      await seen.leave();
      await all(new RegExp(`${seen.memberId} left|"member-left","memberId":"${seen.memberId}"`));
      await all(
        new RegExp(`tenants\\[0-3\\]: ${seen.memberId} -> nobody|"from":"${seen.memberId}","to":null`),
      );
      for (const line of watches[1]!.lines) expect(JSON.parse(line)).toHaveProperty('at');
    } finally {
      await Promise.all(watches.map((watch) => watch.stop()));
    }
    expect(await quorate('groups', 'watch', 'seen', '--interval-ms', 'soon')).toMatchObject({ code: 2 });
    expect(await quorate('groups', 'watch', 'seen', '--url', 'http://127.0.0.1:9')).toMatchObject({
      code: 3,
    });
  }, 120_000);

  it('completes commands and the names of groups in bash', async () => {
    const completed = async (line: string): Promise<readonly string[]> => {
      const words = line.split(' ');
      const urls = cluster.replicas.map(({ http }) => http).join(',');
      const script = `
        quorate() { QUORATE_URL=${urls} '${process.execPath}' dist/bin.js "$@"; }
        eval "$(quorate completion bash)"
        COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
        _quorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const bash = new Child('bash', 'bash', ['-c', script], { cwd: ROOT });
      expect(await bash.exited).toBe(0);
      await bash.printed;
      return bash.lines;
    };
    expect(await completed('quorate gro')).toEqual(['groups']);
    expect(await completed('quorate groups w')).toEqual(['watch']);
    expect(await completed('quorate groups watch --i')).toEqual(['--interval-ms']);
    expect(await completed('quorate groups members bil')).toEqual([GROUP]);
    expect(await completed('quorate topics grow ten')).toEqual([TOPIC]);
    expect(await completed('quorate completion f')).toEqual(['fish']);
  }, 240_000);

  it('says what is wrong and ends with a code: 1 no, 2 wrong use, 3 nobody answers', async () => {
    expect(await quorate('groups', 'describe', 'nobody')).toMatchObject({
      code: 1,
      text: expect.stringMatching(/nobody/) as unknown as string,
    });
    expect((await quorate('topics', 'create', 'x', '--partitions', 'many')).code).toBe(2);
    expect((await quorate('status', '--url', 'http://127.0.0.1:9')).code).toBe(3);
    const started = await quorate('start', '--config', '/nowhere.json');
    expect(started).toMatchObject({
      code: 2,
      text: expect.stringContaining('/nowhere.json') as unknown as string,
    });
  }, 240_000);
});
