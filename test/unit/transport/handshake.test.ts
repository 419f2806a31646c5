import { describe, expect, it } from '@jest/globals';
import type { Hello } from '../../../src/replica/index.js';
import { eventually } from '../../harness/waiting.js';
import { HELLO, MESSAGE, rawIntroduction, type RawIntroduction, REFUSED } from './raw-peer.js';
import { calledReplica, callingReplica, helloOf, introductionOf, pair } from './transport-bench.js';

/** Both replicas of a pair that must not talk say the same, once, and neither ever has the other. */
async function bothRefuse(hellos: readonly [Hello, Hello], reason: string): Promise<void> {
  const { one, two, wire } = await pair({ hellos });
  await eventually('further calls', 30_000, () => wire.calls >= 3, 1);
  expect(one.log).toEqual([`warn: refused a link with 127.0.0.1: ${reason}`]);
  expect(two.log).toEqual([expect.stringMatching(/^warn: replica 1 at 127\.0\.0\.1:\d+ refused a link: /)]);
  expect(two.log[0]).toContain(reason);
  expect([...one.events, ...two.events]).toEqual([]);
}

describe('replicas that must not talk', () => {
  it('belong to different clusters', async () => {
    await bothRefuse(
      [helloOf(1), helloOf(2, { clusterId: 'another' })],
      `replica 2 belongs to cluster another, replica 1 to cluster ${helloOf(1).clusterId}: correct the peers' addresses or the cluster id`,
    );
  });

  it('have different numbers of shards', async () => {
    await bothRefuse(
      [helloOf(1), helloOf(2, { shards: 4 })],
      'replica 2 has 4 shards, replica 1 has 8: start both with the number that the cluster was first started with',
    );
  });

  it('have another list of replicas, or other times', async () => {
    const agreement = { replicas: '1, 2, 3', quorums: 'majority of 3', leaseMs: '300' };
    const five = { replicas: '1, 2, 3, 4, 5', quorums: 'majority of 5', leaseMs: '300' };
    await bothRefuse(
      [helloOf(1, { agreement }), helloOf(2, { agreement: five })],
      'replica 2 has replicas 1, 2, 3, 4, 5, replica 1 1, 2, 3; and quorums majority of 5, replica 1 majority of 3: start both with what the cluster was first started with',
    );
    await bothRefuse(
      [helloOf(1, { agreement }), helloOf(2, { agreement: { ...agreement, leaseMs: '900' } })],
      'replica 2 has leaseMs 900, replica 1 300: start both with the same',
    );
  });

  it('formed the cluster with others, which is all that version 0.1.0 says', async () => {
    await bothRefuse(
      [
        helloOf(1, { agreement: { replicas: '1, 2' } }),
        helloOf(2, { formedWith: { 1: 'a', 2: 'b', 3: 'c' } }),
      ],
      'replica 2 has replicas 1, 2, 3, replica 1 1, 2: start both with what the cluster was first started with',
    );
  });

  it('are not who they are taken for', async () => {
    await bothRefuse(
      [helloOf(0), helloOf(2)],
      'replica 0 answers at the address that replica 2 has for replica 1: correct the address there',
    );
  });

  it('have the same id', async () => {
    await bothRefuse(
      [helloOf(2), helloOf(2)],
      'both ends are replica 2: give each replica an id of its own, and each peer its own address',
    );
  });

  it('are not configured as peers', async () => {
    await bothRefuse(
      [helloOf(1), helloOf(9)],
      'replica 9 is not in the configuration of replica 1: start all replicas with the list that the cluster was first started with, let replica 9 join (quorate replicas add), or stop it',
    );
  });
});

const good: RawIntroduction = { self: 2, target: 1, json: JSON.stringify(helloOf(2)) };
const NOT_OURS =
  /^warn: .* that does not speak the replicas' protocol \(.*\): correct the address, or keep others/;

describe('a replica that is called', () => {
  it.each<[string, Buffer, RegExp]>([
    ['another magic number', rawIntroduction({ ...good, magic: 0x514f5246 }), NOT_OURS],
    [
      'a later version whose hello cannot be read here',
      rawIntroduction({ ...good, version: 2, json: '\u0000?' }),
      /replica 2 speaks version 2 of the replicas' protocol, replica 1 version 1: upgrade replica 1 to a build that speaks version 2/,
    ],
    ['a hello that is null', rawIntroduction({ ...good, json: 'null' }), NOT_OURS],
    ['a hello without fields', rawIntroduction({ ...good, json: '{}' }), NOT_OURS],
    ['a hello of somebody else', rawIntroduction({ ...good, self: 3 }), NOT_OURS],
    [
      'quorums of a kind that is not known here',
      introductionOf(2, 1, { founded: { kind: 'tree' } as never }),
      NOT_OURS,
    ],
    [
      'replicas that decide by nonsense',
      introductionOf(2, 1, {
        membership: {
          number: 1,
          disks: { 1: 'a' },
          quorums: { kind: 'flexible', prepare: 'all', accept: 1 } as never,
        },
      }),
      NOT_OURS,
    ],
    ['a hello with a broken address', introductionOf(2, 1, { kafka: 'here' as never }), NOT_OURS],
    ['a hello with a broken formation', introductionOf(2, 1, { formedWith: { 1: 1 as never } }), NOT_OURS],
    [
      'a hello with a broken agreement',
      introductionOf(2, 1, { agreement: { leaseMs: 1 as never } }),
      NOT_OURS,
    ],
    ['a hello cut short', introductionOf(2, 1).subarray(0, 40), NOT_OURS],
    [
      'a caller with the lower id',
      introductionOf(0, 1),
      /replica 0 called replica 1, and of two replicas the one with the higher id calls/,
    ],
  ])('refuses %s, tells the caller and its own log', async (_, introduction, line) => {
    const { one, call } = await calledReplica({
      peers: [0, 2].map((id) => ({ id: id as never, host: '127.0.0.1', port: 1 })),
    });
    const peer = await call(introduction);
    await eventually('the end', 30_000, () => peer.isClosed, 1);
    expect(one.log.filter((each) => !each.includes('cannot be reached'))).toEqual([
      expect.stringMatching(line),
    ]);
    const [told] = peer.of(REFUSED);
    expect(one.log.at(-1)).toContain(String(told));
    expect(peer.of(HELLO)).toEqual([]);
    expect(one.events).toEqual([]);
  });

  it('tells its replica of a stranger of the same cluster, and of no other', async () => {
    const { one, call } = await calledReplica({ peers: [] });
    for (const clusterId of ['another', undefined]) {
      const peer = await call(introductionOf(2, 1, clusterId === undefined ? {} : { clusterId }));
      await eventually('the end', 30_000, () => peer.isClosed, 1);
    }
    expect(one.refused).toEqual([2]);
    expect(one.events).toEqual([]);
  });

  it('refuses what is not a frame, and a message before the introduction', async () => {
    const { one, call } = await calledReplica();
    const [stranger, early] = [await call(Buffer.alloc(0)), await call(Buffer.alloc(0))];
    stranger.socket.write('GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n');
    early.send(MESSAGE, Buffer.from('vote for me'));
    await eventually('both ended', 30_000, () => stranger.isClosed && early.isClosed, 1);
    expect(one.log).toEqual([expect.stringMatching(NOT_OURS), expect.stringMatching(NOT_OURS)]);
    expect(one.messages).toEqual([]);
  });

  it('takes no more than an introduction needs from a stranger', async () => {
    const { one, call } = await calledReplica();
    const peer = await call(Buffer.alloc(70_000));
    await eventually('the end', 30_000, () => peer.isClosed, 1);
    expect(one.log[0]).toMatch(/a frame of 70001 bytes; at most 65536 are allowed/);
  });

  it('gives up on whoever says nothing', async () => {
    const { one, call } = await calledReplica({ handshakeTimeoutMs: 30 });
    const peer = await call(Buffer.alloc(0));
    await eventually('the end', 30_000, () => peer.isClosed, 1);
    expect(one.log).toEqual(['info: no link with 127.0.0.1: no introduction came']);
  });

  it('ends a link whose peer becomes somebody else', async () => {
    const { one, call } = await calledReplica({
      peers: [2, 3].map((id) => ({ id: id as never, host: '127.0.0.1', port: 1 })),
    });
    const peer = await call();
    await one.up();
    peer.send(HELLO, introductionOf(3, 1));
    await eventually('the end', 30_000, () => peer.isClosed, 1);
    expect(one.downs).toEqual(['a hello of replica 3']);
  });
});

describe('a replica that calls', () => {
  it.each<[string, Buffer, RegExp]>([
    ['another magic number', rawIntroduction({ ...good, self: 1, target: 2, magic: 1 }), NOT_OURS],
    [
      'an older version',
      rawIntroduction({ ...good, self: 1, target: 2, version: 0 }),
      /replica 1 speaks version 0 of the replicas' protocol, replica 2 version 1: upgrade replica 1 to a build that speaks version 1/,
    ],
    [
      'another replica',
      introductionOf(3, 2),
      /replica 3 answers at the address that replica 2 has for replica 1: correct/,
    ],
    [
      'another cluster',
      introductionOf(1, 2, { clusterId: 'x' }),
      /replica 1 belongs to cluster x, replica 2 to cluster/,
    ],
    [
      'another number of shards',
      introductionOf(1, 2, { shards: 1 }),
      /replica 1 has 1 shards, replica 2 has 8: start/,
    ],
  ])('refuses %s, tells the other end and its own log', async (_, answer, line) => {
    const { two, listener } = await callingReplica({}, (peer) => peer.send(HELLO, answer));
    const told = await eventually('the refusal', 30_000, () => listener.peers[0]?.of(REFUSED)[0], 1);
    expect(two.log).toEqual([expect.stringMatching(line)]);
    expect(two.log[0]).toMatch(/^warn: refused a link with replica 1 at 127\.0\.0\.1:\d+: /);
    expect(two.log[0]).toContain(String(told));
    expect(two.events).toEqual([]);
  });

  it('says when a peer lets it in and says nothing, or ends at once', async () => {
    const { two } = await callingReplica({ handshakeTimeoutMs: 20 });
    expect(await two.logged('no introduction came')).toMatch(/^info: no link with replica 1 at /);
    const { two: other } = await callingReplica({}, (peer) => peer.socket.destroy());
    await other.logged('no link with replica 1 at');
  });

  it('logs no more of a refusal than a line holds', async () => {
    const { two } = await callingReplica({}, (peer) => peer.send(REFUSED, Buffer.alloc(60_000, 'x')));
    expect((await two.logged('refused a link')).length).toBeLessThan(600);
  });
});
