import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { APIS, encodeRequestFrame } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';
import { until } from './client.js';
import { frameOf, int16, int32, offence, RawClient, string } from './offence.js';
import { heartbeatOf, joinOf } from './requests.js';

const NONE = Buffer.alloc(0);
const heartbeat = encodeRequestFrame(
  APIS[12],
  { version: 3, correlationId: 5, clientId: 'tester' },
  heartbeatOf('billing'),
);
const join = encodeRequestFrame(
  APIS[11],
  { version: 5, correlationId: 5, clientId: 'tester' },
  joinOf('billing'),
);
/** The first bytes of a frame, as a frame of that length. */
const cutTo = (frame: Buffer, bytes: number): Buffer =>
  Buffer.concat([int32(bytes), frame.subarray(4, 4 + bytes)]);

describe('a request of an API or version that is not spoken', () => {
  it.each<[string, number, number, string]>([
    ['an unknown key', 999, 0, 'key 999 (unknown) version 0'],
    ['a negative key', -1, 0, 'key -1 (unknown) version 0'],
    ['an API that Kafka has and Quorate has not', 23, 4, 'key 23 (unknown) version 4'],
    ['a version of the future', 12, 99, 'key 12 (Heartbeat) version 99'],
    ['a version of the past', 1, 0, 'key 1 (Fetch) version 0'],
    ['a negative version', 3, -1, 'key 3 (Metadata) version -1'],
  ])('ends its connection: %s', async (_, key, version, what) => {
    const { made } = await offence(
      { cause: 'unsupported', says: `asked for ${what}, which is not spoken here` },
      (offender) => offender.send(frameOf(key, version, Buffer.alloc(8))),
    );
    expect(made.broker.snapshot().requests).toMatchObject({ Heartbeat: 2, Fetch: 0, Metadata: 0 });
  });

  it('is answered when it is ApiVersions: error 35, in version 0, with the versions that are', async () => {
    const { port, broker, log } = await bench();
    const client = await RawClient.open(port);
    const { minVersion, maxVersion } = APIS[18];
    for (const [version, body] of [
      [maxVersion + 1, Buffer.from([0])],
      [99, Buffer.from([0, 1, 2, 3])],
      [32_767, Buffer.alloc(300)],
      [-1, NONE],
    ] as const) {
      client.send(frameOf(18, version, body, { correlationId: 7 }));
      expect([...(await client.next(20))]).toEqual([
        ...int32(16),
        ...int32(7),
        ...int16(35),
        ...int32(1),
        ...int16(18),
        ...int16(minVersion),
        ...int16(maxVersion),
      ]);
    }
    client.send(frameOf(18, 0, NONE));
    expect((await client.next(10)).readInt16BE(8)).toBe(0);
    expect(log).toEqual([]);
    expect(broker.snapshot().requests['ApiVersions']).toBe(5);
    client.socket.destroy();
  });
});

describe('a frame', () => {
  const settings = { frameBytesMax: 1_000 };

  it('beyond the limit ends its connection before its body comes, one of the limit does not', async () => {
    const { made } = await offence(
      { settings, cause: 'malformed', says: 'a frame of 1001 bytes, allowed are 1000', clientId: '' },
      (offender) => offender.send(int32(1_001)),
    );
    const client = await RawClient.open(made.port);
    client.send(frameOf(18, 0, Buffer.alloc(984)));
    expect((await client.next(10)).readInt16BE(8)).toBe(0);
    client.socket.destroy();
  });

  it.each([-1, -2, -(2 ** 31)])('of length %i ends its connection', async (length) => {
    await offence(
      { settings, cause: 'malformed', says: `a frame of ${length} bytes, allowed are 1000`, clientId: '' },
      (offender) => offender.send(int32(length), NONE),
    );
  });

  it.each<[string, Buffer]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: kafka\r\n\r\n')],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
    ['zeros', Buffer.alloc(100)],
    ['ones', Buffer.alloc(100, 0xff)],
  ])('of another protocol (%s) ends its connection', async (_, bytes) => {
    await offence(
      {
        cause: 'malformed',
        says: /^a frame of -?\d+ bytes, allowed are 16777216$|^request header: /,
        clientId: '',
      },
      (offender) => offender.send(bytes),
    );
  });

  it('of garbage behind a good length ends its connection, whatever the garbage', async () => {
    const random = seededRandom(11);
    for (let round = 0; round < 40; round++) {
      const { port, log, broker } = await bench();
      const offender = await RawClient.open(port);
      const garbage = Buffer.from(Array.from({ length: 1 + random.below(80) }, () => random.below(256)));
      // The key and version of JoinGroup, so that it is the body that is looked at.
      if (round % 2 === 0) join.copy(garbage, 0, 4, 8);
      offender.send(int32(garbage.length), garbage);
      await offender.closed;
      expect(log).toHaveLength(1);
      expect(log[0]).toContain(offender.peer);
      const { malformed, unsupported } = broker.snapshot().connectionsClosed;
      expect(malformed + unsupported).toBe(1);
    }
  });

  it('that is bad is the last that is looked at, and the only one that is logged', async () => {
    const { made } = await offence({ cause: 'malformed', says: /^Heartbeat v3 request/ }, (offender) =>
      offender.send(cutTo(heartbeat, 20), heartbeat, cutTo(heartbeat, 21), join),
    );
    expect(made.coordinator.heartbeats).toHaveLength(2);
  });

  it('may come byte by byte, with others in between', async () => {
    const { port, log } = await bench();
    const [slow, quick] = [await RawClient.open(port), await RawClient.open(port)];
    for (const byte of heartbeat) {
      slow.send(Buffer.from([byte]));
      quick.send(heartbeat);
      expect(await quick.next(14)).toHaveLength(14);
    }
    expect(await slow.next(14)).toEqual(Buffer.concat([int32(10), int32(5), int32(0), int16(0)]));
    expect(log).toEqual([]);
    for (const { socket } of [slow, quick]) socket.destroy();
  });
});

describe('a body', () => {
  it.each([
    ['JoinGroup', join],
    ['Heartbeat', heartbeat],
  ])('of a %s that is cut short anywhere ends its connection', async (name, frame) => {
    const { port, broker, log, coordinator, clock } = await bench();
    const lengths = Array.from({ length: frame.length - 4 }, (_, bytes) => bytes);
    const offenders = await Promise.all(lengths.map(() => RawClient.open(port)));
    for (const [bytes, offender] of offenders.entries()) {
      offender.send(cutTo(frame, bytes));
      await offender.closed;
      // Of those that come faster than this, not every one has its line.
      clock.advance(1_000);
    }
    expect(broker.snapshot()).toMatchObject({
      connectionsOpen: 0,
      connectionsClosed: { malformed: lengths.length },
    });
    expect(log).toHaveLength(lengths.length);
    for (const { peer } of offenders)
      expect(log.filter((line) => line.includes(`of ${peer} (`))).toHaveLength(1);
    const inBody = log.filter((line) => line.includes(`): ${name} v`));
    const inHeader = log.filter((line) => line.includes('): request header: '));
    expect([inHeader.length, inBody.length]).toEqual([16, lengths.length - 16]);
    expect([coordinator.commands, coordinator.heartbeats]).toEqual([[], []]);
  });

  const joinBody = (...protocols: readonly Buffer[]): Buffer =>
    Buffer.concat([
      string('g'),
      int32(30_000),
      int32(60_000),
      string(''),
      int16(-1),
      string('consumer'),
      ...protocols,
    ]);
  const tagged = (...body: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from([0]), ...body]);
  it.each<[string, number, number, Buffer, string | RegExp]>([
    ['a string of length -2', 12, 0, int16(-2), /^Heartbeat v0 request\.groupId: null or a negative length/],
    ['null for a string', 12, 0, int16(-1), /^Heartbeat v0 request\.groupId: null or a negative length/],
    [
      'a string longer than the rest',
      12,
      0,
      Buffer.from([0x7f, 0xff, 65]),
      /^Heartbeat v0 request\.groupId: 32767 bytes wanted, 1 left/,
    ],
    [
      'a nullable string of length -2',
      11,
      5,
      Buffer.concat([joinBody().subarray(0, 13), int16(-2)]),
      /^JoinGroup v5 request\.groupInstanceId: a string of length -2/,
    ],
    [
      'an array of length -1',
      11,
      5,
      joinBody(int32(-1)),
      /^JoinGroup v5 request\.protocols: null where an array must be/,
    ],
    [
      'an array of length -2',
      11,
      5,
      joinBody(int32(-2)),
      /^JoinGroup v5 request\.protocols: an array of length -2/,
    ],
    [
      'an array longer than the rest',
      11,
      5,
      joinBody(int32(2 ** 31 - 1)),
      /^JoinGroup v5 request\.protocols: an array of 2147483647 items in 0 bytes/,
    ],
    [
      'bytes of length -1',
      11,
      5,
      joinBody(int32(1), string('range'), int32(-1)),
      /^JoinGroup v5 request\.protocols\.metadata: null or a negative length/,
    ],
    [
      'bytes longer than the rest',
      11,
      5,
      joinBody(int32(1), string('range'), int32(2 ** 31 - 1)),
      /^JoinGroup v5 request\.protocols\.metadata: 2147483647 bytes wanted, 0 left/,
    ],
    [
      'a varint without end',
      12,
      4,
      tagged(Buffer.alloc(9, 0xff)),
      /^Heartbeat v4 request\.groupId: a varint of more than five bytes/,
    ],
    [
      'a compact array without end',
      10,
      4,
      tagged(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x0f])),
      /^FindCoordinator v4 request\.coordinatorKeys: an array of 4294967294 items in 0 bytes/,
    ],
  ])('with %s ends its connection, and the line says where', async (_, key, version, body, says) => {
    const { made } = await offence({ cause: 'malformed', says }, (offender) =>
      offender.send(frameOf(key, version, body)),
    );
    expect(made.coordinator.commands).toEqual([]);
  });

  it('behind tags without end ends its connection', async () => {
    await offence({ cause: 'malformed', says: /^request header: /, clientId: '' }, (offender) =>
      offender.send(frameOf(12, 4, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]))),
    );
  });

  it('of more items than a client asks about ends its connection before they cost anything', async () => {
    const keys = 250_001;
    const length = Buffer.from([
      ((keys + 1) & 0x7f) | 0x80,
      (((keys + 1) >> 7) & 0x7f) | 0x80,
      (keys + 1) >> 14,
    ]);
    await offence(
      {
        cause: 'malformed',
        says: /^FindCoordinator v4 request\.coordinatorKeys: an array of 250001 items, more than/,
      },
      (offender) =>
        offender.send(frameOf(10, 4, tagged(Buffer.from([0]), length, Buffer.alloc(keys + 1, 1)))),
    );
  });

  it('that asks for the same thing many times is answered once', async () => {
    const { client, coordinator } = await bench();
    coordinator.addTopic('tenants', 3);
    const kafka = await client();
    const times = <T>(value: T): T[] => Array.from({ length: 1_000 }, () => value);
    const answers = {
      topics: (await kafka.call(3, 6, { topics: [...times({ name: 'tenants' }), { name: 'none' }] })).topics,
      groups: (await kafka.call(15, 2, { groups: [...times('billing'), 'other'] })).groups,
      offsets: (await kafka.call(9, 8, { groups: times({ groupId: 'billing', topics: null }) })).groups,
      configs: (
        await kafka.call(32, 4, {
          resources: times({ resourceType: 4, resourceName: '', configurationKeys: null }),
        })
      ).results,
    };
    expect(answers.topics.map(({ name }) => name)).toEqual(['tenants', 'none']);
    expect(answers.groups.map(({ groupId }) => groupId)).toEqual(['billing', 'other']);
    expect([answers.offsets.length, answers.configs.length]).toEqual([1, 1]);
    expect(coordinator.reads).toBe(3);
  });
});

describe('the line in the log', () => {
  it('stays one line and short, whatever the client calls itself', async () => {
    const clientId = `"bad"\n\u001b[31m${'x'.repeat(5_000)}`;
    const { made } = await offence(
      { cause: 'unsupported', says: /^asked for key 999/, clientId: clientId.slice(0, 100) },
      (offender) => offender.send(frameOf(999, 0, NONE, { clientId })),
    );
    expect(made.log[0]).toMatch(/^[ -~]{1,300}$/);
  });

  it('names the client by its newest request', async () => {
    await offence(
      { cause: 'unsupported', says: /^asked for key 999/, clientId: 'newer' },
      async (offender) => {
        offender.send(heartbeat);
        await until(() => offender.received.length > 0);
        offender.send(frameOf(999, 0, NONE, { clientId: 'newer' }));
      },
    );
  });
});
