import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { Child } from '../harness/child.js';
import { eventually } from '../harness/waiting.js';
import { pack, type Packed } from './packed.js';
import { Project, type ProjectOptions } from './project.js';
import { oneReplica, ready, startReplica } from './one-replica.js';
import { nodeOf } from './run.js';

export interface NestUser {
  readonly nest: 11 | 12;
  readonly type: ProjectOptions['type'];
  /** What it has of OpenTelemetry. */
  readonly api: string;
  readonly sdk: string;
  /** How its application is run. */
  readonly runs: readonly {
    readonly framework: 'express' | 'fastify';
    /** Of which version; default: the one that runs the tests. */
    readonly node?: number;
  }[];
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly etag: string | null;
  readonly body: unknown;
}
type Ask = (
  method: string,
  path: string,
  headers?: Readonly<Record<string, string>>,
  body?: object,
) => Promise<Answer>;

const TIMEOUT_MS = 300_000;
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 60_000;

/** Declares the tests of an application over one version of Nest, with the packed package installed into it. */
export function nestUser({ nest, type, api, sdk, runs }: NestUser): void {
  let packed: Packed;
  let project: Project;
  beforeAll(async () => {
    packed = await pack();
    const ofNest = ['common', 'core', 'platform-express', 'platform-fastify', 'terminus', 'microservices'];
    project = await Project.install(packed, {
      ...{ fixture: 'bank', type },
      dependencies: {
        ...Object.fromEntries(ofNest.map((name) => [`@nestjs/${name}`, `^${nest}.0.0`])),
        ...{ '@opentelemetry/api': api, '@opentelemetry/sdk-metrics': sdk },
        ...{ 'reflect-metadata': '^0.2.0', rxjs: '^7.8.0', '@types/node': '^20.19.0' },
      },
    });
    await project.compile({ module: 'NodeNext', skipLibCheck: false });
  }, TIMEOUT_MS);
  afterAll(() => {
    project.remove();
    packed.remove();
  });

  describe(`installed beside Nest ${nest}`, () => {
    it.each(['@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata', '@opentelemetry/api'])(
      'shares the one %s',
      // prom-client, which uses it for nothing that Quorate does, brings its own where the user's is older than it takes.
      (name) =>
        expect(project.copiesOf(name).filter((path) => !path.includes('/prom-client/'))).toEqual([
          `node_modules/${name}`,
        ]),
    );
    it('is content with its peers', async () => expect(await project.peerProblems()).toEqual([]), TIMEOUT_MS);

    it(
      'has something behind every door',
      async () => {
        const { stdout, stderr } = await project.node('out/exports.js');
        expect(stderr).toBe('');
        expect(JSON.parse(stdout)).toEqual({
          quorate: expect.arrayContaining(['QuorateModule', 'checkSettings', 'runReplica']) as unknown,
          locking: expect.arrayContaining(['MemoryStore', 'QuorateStore', 'Records']) as unknown,
          kafkajs: expect.arrayContaining(['fencesOf']) as unknown,
          nest: expect.arrayContaining(['LockingModule', 'Versioned']) as unknown,
          redis: expect.arrayContaining(['RedisStore']) as unknown,
          sql: expect.arrayContaining(['MysqlStore', 'PostgresStore', 'SqliteStore']) as unknown,
          worker: expect.arrayContaining(['createWorker', 'WorkerError', 'LeaseEndedError']) as unknown,
          workerNest: expect.arrayContaining(['Lease', 'PartitionWorker', 'WorkerModule']) as unknown,
        });
      },
      TIMEOUT_MS,
    );

    it(
      'runs a replica with `quorate start`',
      async () => {
        const { file, url } = await oneReplica(project);
        const child = startReplica(project, file);
        try {
          await ready(url, child);
          expect((await project.quorate('status', '--url', url)).stdout).toContain('ready');
        } finally {
          expect(await child.stop(STOPPED_WITHIN_MS)).toBe(0);
        }
      },
      TIMEOUT_MS,
    );
  });

  describe.each(runs)(`an application of Nest ${nest}: %j`, ({ framework, node }) => {
    let child: Child;
    let ask: Ask;
    let replica: Awaited<ReturnType<typeof oneReplica>>;
    beforeAll(async () => {
      replica = await oneReplica(project);
      const executable = node === undefined ? process.execPath : await nodeOf(node);
      child = new Child('bank', executable, ['out/main.js', framework, replica.file], {
        cwd: project.directory,
      });
      const { url } = await told<{ url: string }>(child, 'url');
      ask = askAt(url);
    }, TIMEOUT_MS);
    afterAll(() => child.kill());

    const account = { owner: 'ada', balance: 1 };

    it('answers a record with the ETag of its version, and 304 while it is fresh', async () => {
      const made = await ask('PUT', '/accounts/read', { 'if-none-match': '*' }, account);
      expect(made).toMatchObject({ status: 200, etag: '"1"', body: { version: 1 } });
      const known = { 'if-none-match': '"1"' };
      expect(await ask('GET', '/accounts/read')).toMatchObject({ status: 200, etag: '"1"', body: account });
      expect(await ask('GET', '/accounts/read', known)).toMatchObject({ status: 304, body: null });
    });

    it('changes a record on the version that the client knows, and on no other', async () => {
      await ask('PUT', '/accounts/change', { 'if-none-match': '*' }, account);
      const change = (headers: Record<string, string>): Promise<Answer> =>
        ask('PATCH', '/accounts/change', headers, { balance: 5 });
      expect(await change({ 'if-match': '"1"' })).toMatchObject({ status: 200, etag: '"2"' });
      const conflict = { resource: 'accounts', id: 'change', expected: 1, actual: 2 };
      expect(await change({ 'if-match': '"1"' })).toMatchObject(problem(412, 'version-conflict', conflict));
      expect(await change({})).toMatchObject(problem(428, 'precondition-required'));
      expect(await change({ 'if-match': '1' })).toMatchObject(problem(400, 'precondition-malformed'));
      expect(await ask('DELETE', '/accounts/change', { 'if-match': '"2"' })).toMatchObject({ status: 204 });
      expect(await change({ 'if-match': '"2"' })).toMatchObject(problem(404, 'not-found'));
    });

    it('retries on conflict, writes to the store of the name, and counts and tells it', async () => {
      await ask('PUT', '/accounts/retry', { 'if-none-match': '*' }, account);
      const deposited = await ask('POST', '/accounts/retry/deposits', {}, { amount: 5, rivals: 1 });
      expect(deposited).toMatchObject({ status: 201, body: { version: 3 } });
      const entry = { account: 'retry', amount: 5 };
      expect(await ask('GET', '/entries/retry-3')).toMatchObject({ status: 200, body: entry });
      const { body } = await ask('GET', '/events');
      expect((body as string[]).slice(-2)).toEqual(['conflict', 'retry']);
    });

    it('refuses a write of an owner of before with 409', async () => {
      await ask('PUT', '/accounts/fenced', { 'if-none-match': '*' }, account);
      expect(await ask('POST', '/accounts/fenced/interest/7')).toMatchObject({ status: 201, etag: '"2"' });
      await ask('POST', '/seals/9');
      const stale = { scope: 'bank/accounts/0', token: '8', current: '9' };
      expect(await ask('POST', '/accounts/fenced/interest/8')).toMatchObject(
        problem(409, 'stale-epoch', stale),
      );
      expect(await ask('GET', '/accounts/fenced')).toMatchObject({ etag: '"2"', body: { balance: 2 } });
    });

    it('answers for what is not @Versioned too, and survives a handler that had answered already', async () => {
      expect(await ask('GET', '/entries/none')).toMatchObject(problem(404, 'not-found'));
      expect(await ask('GET', '/begun')).toMatchObject({ status: 200, body: 'begun' });
      expect(await ask('GET', '/accounts/none')).toMatchObject({ status: 404 });
    });

    it('is healthy for terminus', async () => {
      const up = { status: 'up', store: 'memory' };
      expect(await ask('GET', '/health')).toMatchObject({
        status: 200,
        body: { status: 'ok', info: { accounts: up, audit: up } },
      });
    });

    it('can have a replica of Quorate inside', async () => {
      const inside = await eventually('the replica inside is ready', READY_WITHIN_MS, async () => {
        const answer = await ask('GET', '/health/ready');
        return answer.status === 200 && answer;
      });
      expect(inside.body).toEqual({ status: 'ok', reasons: [] });
      const made = await ask('PUT', '/records/bank/a', { 'if-none-match': '*' }, account);
      expect(made).toMatchObject({ status: 201, etag: '"1"' });
    });

    it('works on partitions, in a store that is sealed, and is healthy', async () => {
      const owned = [0, 1].map((partition) => ({
        scope: `billing/tenants/${partition}`,
        position: '1',
        count: 1,
      }));
      await eventually('both partitions are worked on', READY_WITHIN_MS, async () => {
        const { body } = await ask('GET', '/partitions');
        return isDeepStrictEqual(body, owned);
      });
      const billing = expect.objectContaining({ state: 'working', owned: 2 }) as unknown;
      expect(await ask('GET', '/partitions/health')).toMatchObject({
        status: 200,
        body: { status: 'ok', info: { workers: { status: 'up', billing } } },
      });
    });

    it('works on partitions through message patterns', async () => {
      const { patterned } = await told<{ patterned: object }>(child, 'patterned');
      expect(patterned).toEqual({ scope: 'patterns/patterned/0', type: 'rpc' });
    });

    it('tells an SDK of OpenTelemetry what it counted, and ends when it is asked to', async () => {
      child.signal('SIGTERM');
      const { counted } = await told<{ counted: Record<string, number> }>(child, 'counted');
      expect(counted).toEqual({
        'quorate.locking.writes': expect.any(Number) as unknown,
        'quorate.locking.conflicts': 2,
        'quorate.locking.retries': 1,
        'quorate.locking.fenced_writes': 1,
      });
      expect(await child.exited).toBe(0);
      await child.printed;
      const drained = child.lines.filter((line) => line.startsWith('{"drained"')).sort();
      expect(drained).toEqual([0, 1].map((partition) => `{"drained":"billing/tenants/${partition}"}`));
    });
  });
}

const problem = (status: number, code: string, members = {}): object => ({
  status,
  type: expect.stringMatching(/^application\/problem\+json/) as unknown,
  body: expect.objectContaining({ type: 'about:blank', status, code, ...members }) as unknown,
});

function askAt(url: string): Ask {
  return async (method, path, headers = {}, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      etag: answer.headers.get('etag'),
      body: text === '' ? null : parsed(text),
    };
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The line of JSON that a program prints with this member. */
function told<T>(child: Child, member: keyof T & string): Promise<T> {
  return eventually(`${child.name} prints its ${member}`, READY_WITHIN_MS, () => {
    const line = child.lines.find((text) => text.startsWith(`{"${member}"`));
    if (line === undefined && !child.running) throw new Error(child.lines.join('\n'));
    return line !== undefined && (JSON.parse(line) as T);
  });
}
