import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  OutcomeUnknownError,
  QuorateStore,
  type QuorateStoreOptions,
  StoreUnavailableError,
  type WriteOperation,
} from '../../../src/locking/index.js';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: { readonly mode?: string; readonly operations?: readonly { readonly id: string }[] };
}
type Behaviour = (asked: Asked, response: ServerResponse) => void;

/** A replica reduced to what it answers. */
class FakeReplica {
  readonly asked: Asked[] = [];
  connections = 0;
  behave: Behaviour = fine;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('connection', () => this.connections++);
  }
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const asked = {
      method: request.method!,
      path: request.url!,
      body: (text === '' ? {} : JSON.parse(text)) as Asked['body'],
    };
    this.asked.push(asked);
    this.behave(asked, response);
  }
  start(): Promise<void> {
    return new Promise((started) => this.#server.listen(0, '127.0.0.1', started));
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async stop(): Promise<void> {
    // Also of one that was stopped before.
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
const fine: Behaviour = ({ method, body }, response) => {
  if (method === 'GET') return answer(response, 200, { id: 'a', version: 7, fence: null, value: { n: 1 } });
  const outcomes = (body.operations ?? []).map((_, i) => ({ kind: 'written', version: i + 2 }));
  answer(response, 200, { outcomes });
};
const problem =
  (status: number): Behaviour =>
  (_, response) =>
    answer(response, status, { status, detail: `problem ${status}` });
const goTo =
  (url: () => string): Behaviour =>
  ({ path }, response) => {
    response.setHeader('location', `${url()}${path}`);
    answer(response, 307, { detail: 'led elsewhere' });
  };
const hangUp: Behaviour = (_, response) => void response.destroy();

describe('a store over replicas', () => {
  let one: FakeReplica;
  let two: FakeReplica;
  let three: FakeReplica;
  beforeEach(async () => {
    [one, two, three] = [new FakeReplica(), new FakeReplica(), new FakeReplica()];
    await Promise.all([one.start(), two.start(), three.start()]);
  });
  afterEach(() => Promise.all([one.stop(), two.stop(), three.stop()]));

  const store = (options: Partial<QuorateStoreOptions> = {}): QuorateStore =>
    new QuorateStore({ urls: [one.url, two.url], space: 's', ...options });
  const update = (id: string): WriteOperation => ({
    kind: 'update',
    resource: 'r',
    id,
    version: 1,
    changes: { n: 1 },
  });
  const idsAsked = (replica: FakeReplica): readonly (readonly string[])[] =>
    replica.asked.map(({ body }) => (body.operations ?? []).map(({ id }) => id));

  it('keeps its connection from one request to the next', async () => {
    const subject = store();
    for (let i = 0; i < 5; i++) await subject.write([update('a')], 'each');
    expect([one.asked.length, one.connections, two.connections]).toEqual([5, 1, 0]);
  });

  it('puts the prefix of a URL before every path', async () => {
    await store({ urls: [`${one.url}/quorate/`] }).read('r', ['a/b']);
    expect(one.asked).toMatchObject([{ method: 'GET', path: '/quorate/records/s/r%2Fa%2Fb' }]);
  });

  it('sends writes made at the same time in one request, and transactions in their own', async () => {
    const subject = store();
    const outcomes = await Promise.all([
      subject.write([update('a')], 'all-or-nothing'),
      subject.write([update('b'), update('c')], 'each'),
      subject.write([update('d'), update('e')], 'all-or-nothing'),
    ]);
    expect(outcomes.flat().map((outcome) => outcome.kind)).toEqual(Array(5).fill('written'));
    expect(outcomes[1]).toEqual([
      { kind: 'written', version: 3 },
      { kind: 'written', version: 4 },
    ]);
    expect(one.asked.map(({ body }) => [body.mode, body.operations!.length])).toEqual(
      expect.arrayContaining([
        ['each', 3],
        ['all-or-nothing', 2],
      ]),
    );
    expect(one.asked).toHaveLength(2);
  });

  it('rejects a field that JSON cannot hold without asking anybody, and spares the writes beside it', async () => {
    const subject = store();
    const wrong: WriteOperation = { kind: 'insert', resource: 'r', id: 'b', value: { n: Number.NaN } };
    const [right, refused] = await Promise.allSettled([
      subject.write([update('a')], 'each'),
      subject.write([wrong], 'each'),
    ]);
    expect([right.status, refused.status]).toEqual(['fulfilled', 'rejected']);
    expect(idsAsked(one)).toEqual([['r/a']]);
  });

  it('tells what a replica refuses, and writes what was sent along with it', async () => {
    one.behave = (asked, response) =>
      asked.body.operations!.some(({ id }) => id === 'r/bad')
        ? problem(400)(asked, response)
        : fine(asked, response);
    const subject = store();
    const [right, refused] = await Promise.allSettled([
      subject.write([update('a')], 'each'),
      subject.write([update('bad')], 'each'),
    ]);
    expect(right).toEqual({ status: 'fulfilled', value: [{ kind: 'written', version: 2 }] });
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { message: 'Quorate refused the request: problem 400' },
    });
    expect(idsAsked(one)).toEqual([['r/a', 'r/bad'], ['r/a'], ['r/bad']]);
  });

  it('follows a redirect to the leader, and asks the leader from then on', async () => {
    one.behave = goTo(() => two.url);
    const subject = store();
    expect(await subject.read('r', ['a'])).toMatchObject([{ id: 'a', version: 7 }]);
    await subject.read('r', ['a']);
    await subject.write([update('a')], 'each');
    expect([one.asked.length, two.asked.length]).toEqual([1, 3]);
  });

  it('remembers a leader whose name it was not given, and comes back when that one is gone', async () => {
    one.behave = goTo(() => two.url);
    const subject = store({ urls: [one.url] });
    for (let i = 0; i < 3; i++) await subject.read('r', ['a']);
    expect([one.asked.length, two.asked.length, two.connections]).toEqual([1, 3, 1]);
    await two.stop();
    one.behave = fine;
    expect(await subject.read('r', ['a'])).toMatchObject([{ version: 7 }]);
  });

  it('has a read answered by the replica it reaches when the leader goes by a name that leads nowhere', async () => {
    const { url: nowhere } = three;
    await three.stop();
    const behindNat: Behaviour = (asked, response) =>
      (asked.path.endsWith('?redirect=no') ? fine : goTo(() => nowhere))(asked, response);
    one.behave = behindNat;
    two.behave = behindNat;
    const subject = store({ deadlineMs: 0 });
    for (let i = 0; i < 2; i++) expect(await subject.read('r', ['a'])).toMatchObject([{ version: 7 }]);
    // The second time it does not try the leader's name again.
    expect([one.asked.length, two.asked.length]).toEqual([4, 0]);
  });

  it('finds the leader among its URLs when replicas of an older version know only the redirect', async () => {
    const { url: nowhere } = three;
    await three.stop();
    one.behave = goTo(() => nowhere);
    expect(await store().read('r', ['a'])).toMatchObject([{ version: 7 }]);
    expect(two.asked).toHaveLength(1);
  });

  it('does not run in circles between two replicas that each name the other', async () => {
    one.behave = goTo(() => two.url);
    two.behave = goTo(() => one.url);
    await expect(store({ deadlineMs: 0 }).read('r', ['a'])).rejects.toThrow(StoreUnavailableError);
    expect(one.asked.length + two.asked.length).toBeLessThanOrEqual(4);
  });

  it('goes on to the next replica while it is certain that nothing happened', async () => {
    const { url } = three;
    await three.stop();
    one.behave = problem(503);
    const subject = store({ urls: [url, one.url, two.url] });
    for (let i = 0; i < 2; i++)
      expect(await subject.write([update('a')], 'each')).toEqual([{ kind: 'written', version: 2 }]);
    // The second write went to the one that had answered the first.
    expect([one.asked.length, two.asked.length]).toEqual([1, 2]);
  });

  it('is unavailable when no replica answers before the deadline', async () => {
    one.behave = problem(503);
    two.behave = problem(503);
    const subject = store({ deadlineMs: 0 });
    await expect(subject.write([update('a')], 'each')).rejects.toThrow(StoreUnavailableError);
    await expect(subject.read('r', ['a'])).rejects.toThrow(StoreUnavailableError);
  });

  it('passes over a dead replica once, however many requests find out', async () => {
    one.behave = problem(503);
    const subject = store();
    await subject.read('r', ['a', 'b', 'c', 'd']);
    await subject.read('r', ['e']);
    expect([one.asked.length, two.asked.length]).toEqual([4, 5]);
  });

  it('stays with the leader it has found when an earlier replica fails late', async () => {
    const held = new Promise<ServerResponse>((hold) => {
      one.behave = (asked, response) =>
        asked.path.endsWith('late') ? hold(response) : problem(503)(asked, response);
    });
    two.behave = goTo(() => three.url);
    const subject = store({ urls: [one.url, two.url, three.url] });
    const late = subject.read('r', ['late']);
    const response = await held;
    await subject.read('r', ['a']);
    response.destroy();
    await late;
    expect([two.asked.length, three.asked.length]).toEqual([1, 2]);
  });

  it('finds nothing where a replica says so, and only there', async () => {
    one.behave = (_, response) => answer(response, 404, { status: 404, code: 'not-found' });
    expect(await store().read('r', ['a'])).toEqual([undefined]);
    // As for a path that nobody serves: the URL is not that of a replica.
    one.behave = problem(404);
    await expect(store().read('r', ['a'])).rejects.toThrow('refused the request: problem 404');
    await expect(store().write([update('a')], 'each')).rejects.toThrow('refused the request: problem 404');
  });

  const lost: readonly (readonly [string, Behaviour])[] = [
    ['breaks the connection', hangUp],
    [
      'breaks off in its answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('{', () => response.destroy());
      },
    ],
    ['is silent', () => undefined],
    ['falls silent in its answer', (_, response) => void response.writeHead(200).write('{')],
    ['lost its own leader', problem(504)],
    ['failed', problem(500)],
    ['is no replica', (_, response) => void response.writeHead(502).end('<html>')],
    ['has nothing to say', (_, response) => answer(response, 200, null)],
    ['answers for other operations', (_, response) => answer(response, 200, { outcomes: [] })],
  ];
  it.each(lost)('does not know what became of a write when the replica %s', async (_, behaviour) => {
    one.behave = behaviour;
    const subject = store({ requestTimeoutMs: 1_000 });
    const writes = await Promise.allSettled([
      subject.write([update('a')], 'each'),
      subject.write([update('b'), update('c')], 'all-or-nothing'),
    ]);
    for (const write of writes)
      expect(write).toMatchObject({ status: 'rejected', reason: expect.any(OutcomeUnknownError) as unknown });
    // Nobody was asked to do it a second time.
    expect([one.asked.length, two.asked.length]).toEqual([2, 0]);
  });
  it.each(lost.slice(0, -1))('reads from the next one when the replica %s', async (_, behaviour) => {
    one.behave = behaviour;
    const subject = store({ requestTimeoutMs: 1_000 });
    expect(await subject.read('r', ['a'])).toMatchObject([{ version: 7 }]);
    await subject.write([update('a')], 'each');
    expect([one.asked.length, two.asked.length]).toEqual([1, 2]);
  });
});
