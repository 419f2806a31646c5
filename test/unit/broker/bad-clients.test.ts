import { describe, expect, it } from '@jest/globals';
import { memberId } from '../../../src/kernel/index.js';
import {
  type ApiKey,
  type Api,
  APIS,
  encodeRequestFrame,
  FrameSplitter,
  type RequestInputByKey,
} from '../../../src/wire/index.js';
import { type Bench, bench } from './broker-bench.js';
import { turns, until } from './client.js';
import { closedBy, offence, RawClient } from './offence.js';
import { fetchOf, heartbeatOf, joinOf, syncOf } from './requests.js';

const frame = <K extends ApiKey>(
  key: K,
  version: number,
  request: RequestInputByKey[K],
  correlationId = 1,
): Buffer => encodeRequestFrame(APIS[key] as Api, { version, correlationId, clientId: 'tester' }, request);
const heartbeat = frame(12, 3, heartbeatOf('billing'));
const HEARTBEAT_ANSWER_BYTES = 14;
const allTopics = frame(3, 6, { topics: null });
const NOTHING_PARKED = { join: 0, sync: 0, fetch: 0, heartbeat: 0 };

function parks({ coordinator }: Bench): void {
  coordinator.addTopic('tenants', 1);
  coordinator.onCommand = (command) => {
    if (command.kind === 'group.join') return { kind: 'join-parked', memberId: memberId('m-1') };
    if (command.kind === 'group.sync') return { kind: 'sync-parked', memberId: memberId('m-1') };
    return undefined;
  };
}
const PARKED = {
  join: frame(11, 5, joinOf('billing')),
  sync: frame(14, 3, syncOf('billing')),
  fetch: frame(1, 11, fetchOf('tenants')),
} as const;
const LEAVING: Readonly<Record<string, (client: RawClient) => void>> = {
  'ends its side': ({ socket }) => void socket.end(),
  closes: ({ socket }) => void socket.destroy(),
  'resets the connection': ({ socket }) => void socket.resetAndDestroy(),
};

describe('a client that leaves', () => {
  const ways = Object.keys(LEAVING).flatMap((way) => Object.keys(PARKED).map((kind) => [way, kind] as const));
  it.each(ways)('%s while its %s waits: it waits no more', async (way, kind) => {
    const made = await bench();
    parks(made);
    const [leaver, stayer] = [await RawClient.open(made.port), await RawClient.open(made.port)];
    const request = PARKED[kind as keyof typeof PARKED];
    for (const client of [leaver, stayer]) client.send(request);
    const parked = () => made.broker.snapshot().parked;
    await until(() => parked()[kind as keyof typeof PARKED] === 2);
    LEAVING[way]!(leaver);
    await until(() => made.broker.snapshot().connectionsOpen === 1);
    expect(parked()).toEqual({ ...NOTHING_PARKED, [kind]: 1 });
    expect(made.log).toEqual([]);
    const { client, 'socket-error': error } = made.broker.snapshot().connectionsClosed;
    expect(client + error).toBe(1);
    // What comes for it later hurts nobody, and the other one is answered.
    made.coordinator.moveLead(2);
    made.clock.advance(5_000);
    await until(() => stayer.received.length > 0);
    expect(parked()).toEqual(NOTHING_PARKED);
    stayer.socket.destroy();
  });

  it.each(Object.keys(LEAVING))('%s before its request waits: it never does', async (way) => {
    const made = await bench();
    parks(made);
    const { onCommand } = made.coordinator;
    made.coordinator.onCommand = () => 'hold';
    const leaver = await RawClient.open(made.port);
    leaver.send(PARKED.join, PARKED.sync);
    await until(() => made.coordinator.held.length === 2);
    LEAVING[way]!(leaver);
    await until(() => made.broker.snapshot().connectionsOpen === 0);
    made.coordinator.onCommand = onCommand;
    made.coordinator.release();
    await turns();
    expect(made.broker.snapshot().parked).toEqual(NOTHING_PARKED);
    expect(made.log).toEqual([]);
  });

  it('ends its side: the connection ends on ours too, without a line and without an error', async () => {
    const made = await bench();
    const [idle, asking, partial] = await Promise.all([1, 2, 3].map(() => RawClient.open(made.port)));
    asking!.send(heartbeat);
    partial!.send(heartbeat.subarray(0, 10));
    for (const client of [idle, asking, partial]) client!.socket.end();
    await Promise.all([idle, asking, partial].map((client) => client!.closed));
    await turns();
    expect(closedBy(made)).toEqual({ client: 3 });
    expect([made.log, made.broker.snapshot().connectionsOpen]).toEqual([[], 0]);
  });
});

/** Sends until the socket of the client is full, as a client does that only ever asks. */
async function askWithoutReading(client: RawClient, request: Buffer, until: () => boolean): Promise<void> {
  client.socket.pause();
  const batch = Buffer.concat(Array.from({ length: 200 }, () => request));
  for (let batches = 0; batches < 5_000 && !until() && !client.isClosed; batches++) {
    if (client.socket.writableLength < 1_000_000) client.send(batch);
    await turns(1);
  }
}

describe('a client that does not read', () => {
  it('is ended when what it has not read is more than may wait for it', async () => {
    const outgoingBytesMax = 64 * 1024;
    const { made } = await offence(
      { settings: { outgoingBytesMax }, cause: 'not-reading', says: /^\d+ bytes of answers were not read$/ },
      async (offender, made) => {
        made.coordinator.addTopic('tenants', 500);
        await askWithoutReading(offender, allTopics, () => closedBy(made)['not-reading'] === 1);
      },
    );
    const unread = Number(/: (\d+) bytes/.exec(made.log[0]!)![1]);
    expect(unread).toBeGreaterThan(0);
    expect(unread).toBeLessThanOrEqual(outgoingBytesMax);
  });

  it('is asked nothing more of at 256 KiB, costs no more memory, and is ended when it stays idle', async () => {
    const KIB = 1024;
    const { made } = await offence(
      {
        settings: { connectionIdleMs: 8_000 },
        cause: 'not-reading',
        says: /^\d+ bytes of answers were not read for 8 s$/,
      },
      async (offender, { broker, coordinator }, pass) => {
        // 64 answers to one chunk of requests would be 32 MiB.
        coordinator.addTopic('tenants', 10_000);
        let [answers, still] = [0, 0];
        await askWithoutReading(offender, allTopics, () => {
          const { requests } = broker.snapshot();
          still = requests['Metadata'] === answers ? still + 1 : 0;
          answers = requests['Metadata']!;
          return still > 100;
        });
        const answerBytes = broker.snapshot().bytesOut / answers;
        expect(answerBytes).toBeGreaterThan(256 * KIB);
        // The kernel takes a few megabytes on either side, then one answer waits.
        expect(answers * answerBytes).toBeLessThan(16 * KIB * KIB);
        await pass(16_000, 8);
      },
    );
    const unread = Number(/: (\d+) bytes/.exec(made.log[0]!)![1]);
    expect(unread).toBeGreaterThan(256 * KIB);
    expect(unread).toBeLessThan(1024 * KIB);
  });

  it('gets everything, in order, when it reads after all', async () => {
    const made = await bench();
    made.coordinator.addTopic('tenants', 5_000);
    const client = await RawClient.open(made.port);
    client.socket.pause();
    const ids = Array.from({ length: 40 }, (_, index) => index);
    client.send(...ids.map((correlationId) => frame(3, 6, { topics: null }, correlationId)));
    await turns(300);
    const started = made.broker.snapshot().requests['Metadata']!;
    expect(started).toBeLessThan(ids.length);
    const answers: Buffer[] = [];
    const splitter = new FrameSplitter(0x7fff_ffff);
    client.socket.on('data', (chunk: Buffer) => answers.push(...splitter.push(chunk)));
    client.socket.resume();
    await until(() => answers.length === ids.length);
    expect(answers.map((answer) => answer.readInt32BE(0))).toEqual(ids);
    expect(new Set(answers.map(({ length }) => length)).size).toBe(1);
    expect([made.log, closedBy(made)]).toEqual([[], {}]);
    client.socket.destroy();
  }, 20_000);
});

describe('a client that asks for much at once', () => {
  it('has one request under way when the answer may be long', async () => {
    const made = await bench();
    const { coordinator, broker } = made;
    parks(made);
    const client = await RawClient.open(made.port);
    client.send(PARKED.fetch, heartbeat, allTopics, heartbeat, allTopics, allTopics);
    await until(() => coordinator.heartbeats.length === 1);
    await turns();
    expect(broker.snapshot().requests).toMatchObject({ Fetch: 1, Heartbeat: 1, Metadata: 0 });
    const { writes } = broker.snapshot();
    made.clock.advance(5_000);
    await until(() => broker.snapshot().requests['Metadata'] === 3);
    await until(() => broker.snapshot().writes === writes + 4 + 1);
    expect(coordinator.heartbeats).toHaveLength(2);
    client.socket.destroy();
  });

  it('has no more under way than one frame may be long', async () => {
    const made = await bench({ frameBytesMax: 10_000 });
    parks(made);
    const client = await RawClient.open(made.port);
    const topics = [
      {
        topic: 'tenants',
        partitions: Array.from({ length: 150 }, () => ({
          partition: 0,
          fetchOffset: 0,
          partitionMaxBytes: 1,
        })),
      },
    ];
    const large = frame(1, 11, fetchOf('tenants', 0, { topics }));
    expect(large.length).toBeGreaterThan(3_400);
    client.send(large, large, large, large, large);
    const parked = () => made.broker.snapshot().parked.fetch;
    for (const expected of [2, 2, 1]) {
      await until(() => parked() === expected);
      await turns();
      expect(parked()).toBe(expected);
      made.clock.advance(5_000);
    }
    client.socket.destroy();
  });

  it('has no more under way than its connection may have', async () => {
    const made = await bench({ maxInFlightPerConnection: 3 });
    parks(made);
    const client = await RawClient.open(made.port);
    client.send(...Array.from({ length: 5 }, () => PARKED.fetch));
    await until(() => made.broker.snapshot().parked.fetch === 3);
    await turns();
    expect(made.broker.snapshot().requests['Fetch']).toBe(3);
    made.clock.advance(5_000);
    await until(() => made.broker.snapshot().parked.fetch === 2);
    client.socket.destroy();
  });
});

describe('connections', () => {
  it('beyond the most allowed are turned away, with a line each, until one has gone', async () => {
    const made = await bench({ connectionsMax: 2 });
    const [first, second] = [await made.client(), await made.client()];
    const turned = [await RawClient.open(made.port), await RawClient.open(made.port)];
    await Promise.all(turned.map(({ closed }) => closed));
    expect(made.log).toEqual(
      turned.map(({ peer }) => `turned ${peer} away: 2 connections are open, which is the most allowed`),
    );
    expect(made.broker.snapshot()).toMatchObject({ connectionsOpen: 2, connectionsOpened: 2 });
    expect(closedBy(made)).toEqual({ 'too-many-connections': 2 });
    for (const client of [first, second])
      expect((await client.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
    await first.close();
    await until(() => made.broker.snapshot().connectionsOpen === 1);
    const next = await made.client();
    expect((await next.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
    expect(made.log).toHaveLength(2);
  });

  it('are turned away by the thousand with ten lines in ten seconds', async () => {
    const made = await bench({ connectionsMax: 1 });
    const stays = await made.client();
    await stays.call(12, 3, heartbeatOf('billing'));
    for (let i = 0; i < 30; i++) await (await RawClient.open(made.port)).closed;
    expect([closedBy(made), made.log.length]).toEqual([{ 'too-many-connections': 30 }, 10]);
    made.clock.advance(10_000);
    await (
      await RawClient.open(made.port)
    ).closed;
    expect(made.log).toHaveLength(11);
    expect(made.log[10]).toMatch(/\(20 lines like it before were left out\)/);
  });

  it('that are idle go when others come, first those that never asked for anything', async () => {
    const made = await bench({ connectionsMax: 3 });
    const heartbeatAt = async (client: Awaited<ReturnType<typeof made.client>>): Promise<void> => {
      expect((await client.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
    };
    const asked = await made.client();
    await heartbeatAt(asked);
    const busy = await made.client();
    const unused = await RawClient.open(made.port);
    await until(() => made.broker.snapshot().connectionsOpen === 3);
    for (let ms = 0; ms < 60_000; ms += 5_000) {
      made.clock.advance(5_000);
      await heartbeatAt(busy);
    }
    const first = await made.client();
    await unused.closed;
    await heartbeatAt(first);
    const second = await made.client();
    await heartbeatAt(second);
    await heartbeatAt(busy);
    await heartbeatAt(first);
    const gone = (name: string): RegExp =>
      new RegExp(`client id "${name}"\\): it was idle, and others wanted to connect`);
    expect(made.log).toEqual([expect.stringMatching(gone('')), expect.stringMatching(gone('tester'))]);
  });

  const IDLE_MS = 8_000;
  it.each<[string, Buffer]>([
    ['after nothing at all', Buffer.alloc(0)],
    ['within a frame', heartbeat.subarray(0, 9)],
    ['after an answer', heartbeat],
  ])('that are idle %s end', async (_, bytes) => {
    const said = bytes === heartbeat;
    await offence(
      {
        settings: { connectionIdleMs: IDLE_MS },
        cause: 'idle',
        says: 'nothing came for 8 s',
        clientId: said ? 'tester' : '',
      },
      async (offender, { broker }, pass) => {
        offender.send(bytes);
        await turns();
        if (said) await offender.next(HEARTBEAT_ANSWER_BYTES);
        await pass(IDLE_MS, 4);
        expect(broker.snapshot().connectionsOpen).toBe(2);
        await pass(IDLE_MS / 2, 2);
      },
    );
  });

  it('that wait for an answer are not idle', async () => {
    const made = await bench({ connectionIdleMs: IDLE_MS });
    parks(made);
    const waiting = await RawClient.open(made.port);
    waiting.send(PARKED.join);
    await until(() => made.broker.snapshot().parked.join === 1);
    made.clock.advance(10 * IDLE_MS);
    await turns();
    expect([made.log, made.broker.snapshot().connectionsOpen]).toEqual([[], 1]);
    waiting.socket.destroy();
  });
});
