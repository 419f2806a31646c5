import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { eventually, sleep } from '../../harness/waiting.js';
import { ALIVE, HELLO, MESSAGE, rawFrame } from './raw-peer.js';
import {
  calledReplica,
  callingReplica,
  helloOf,
  introductionOf,
  linkedPair,
  type TestReplica,
} from './transport-bench.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

describe('order', () => {
  it('is kept both ways across thousands of frames of all sizes', async () => {
    const { one, two } = await linkedPair();
    const FRAMES = 3_000;
    const bytesOf = (index: number, from: number): Buffer => {
      const random = seededRandom(index * 2 + from);
      // Some are longer than a chunk of the socket.
      const message = Buffer.alloc(4 + random.below(index % 100 === 0 ? 200_000 : 600), random.below(256));
      message.writeUInt32BE(index, 0);
      return message;
    };
    const heard = [0, 0];
    const altered: string[] = [];
    for (const [side, replica] of [one, two].entries()) {
      replica.onMessage = (peer, message) => {
        const index = heard[side]!++;
        if (!message.equals(bytesOf(index, 1 - side))) altered.push(`message ${index} of replica ${peer}`);
      };
    }
    for (let index = 0; index < FRAMES; index++) {
      expect(one.send(2, bytesOf(index, 0))).toBe(true);
      expect(two.send(1, bytesOf(index, 1))).toBe(true);
      if (index % 50 === 49) await turn();
    }
    await eventually('all frames', 30_000, () => heard.every((count) => count === FRAMES));
    expect(altered).toEqual([]);
  }, 20_000);
});

describe('output', () => {
  it('of one turn of the loop leaves in one write', async () => {
    const { one, call } = await calledReplica();
    const peer = await call();
    await one.up();
    await turn();
    const write = jest.spyOn(Socket.prototype, 'write');
    try {
      const messages = Array.from({ length: 300 }, (_, index) => Buffer.from(`message ${index}`));
      for (const message of messages) one.send(2, message);
      expect(write).toHaveBeenCalledTimes(0);
      await turn();
      const frames = messages.map((message) => rawFrame(MESSAGE, message));
      expect(write.mock.calls.map(([bytes]) => bytes)).toEqual([Buffer.concat(frames)]);
      await eventually('all messages', 30_000, () => peer.of(MESSAGE).length === 300, 1);
    } finally {
      write.mockRestore();
    }
  });

  it('is dropped from a quarter of the queue on when it may be, from half as bulk, else when the queue is full', async () => {
    const queueBytesMax = 100_000;
    const { one, call } = await calledReplica({ queueBytesMax });
    const peer = await call();
    await one.up();
    await turn();
    const message = Buffer.alloc(991);
    const taken = { droppable: 0, bulk: 0, normal: 0 };
    // Within one turn nothing leaves: what fits is exact. A message takes its length and 9 bytes.
    for (const urgency of ['droppable', 'bulk', 'normal'] as const) {
      while (one.send(2, message, urgency)) taken[urgency]++;
    }
    expect(taken).toEqual({ droppable: 25, bulk: 25, normal: 50 });
    expect(one.send(2, Buffer.alloc(0), 'bulk')).toBe(false);
    await eventually('what was taken', 30_000, () => peer.of(MESSAGE).length === 100, 1);
    expect(one.send(2, message, 'droppable')).toBe(true);
    expect(one.send(2, Buffer.alloc(25_001), 'droppable')).toBe(false);
    expect(one.send(2, Buffer.alloc(50_001), 'bulk')).toBe(false);
    expect(one.send(2, Buffer.alloc(100_001))).toBe(false);
  });

  it('towards a peer that never reads is bounded, and the peer gets all of it in order once it reads', async () => {
    const queueBytesMax = 1024 * 1024;
    const { one, call } = await calledReplica({ queueBytesMax });
    const peer = await call();
    await one.up();
    peer.socket.pause();
    const message = Buffer.alloc(64 * 1024);
    const taken = { droppable: 0, bulk: 0, normal: 0 };
    const before = heldBytes();
    let lastTaken = 0;
    for (let round = 0; round < 2_000 && lastTaken + 50 > round; round++) {
      for (const [kind, urgency] of (['normal', 'bulk', 'droppable'] as const).entries()) {
        message.writeUInt32BE(taken.normal + taken.bulk + taken.droppable, 0);
        message[4] = kind;
        if (!one.send(2, message, urgency)) continue;
        taken[urgency]++;
        lastTaken = round;
      }
      await turn();
    }
    const all = taken.normal + taken.bulk + taken.droppable;
    // The kernel's buffers on both sides took some megabytes; the rest of 100 and more was never held.
    expect(all * message.length).toBeLessThan(32 * 1024 * 1024);
    await eventually('little memory', 30_000, () => heldBytes() - before < 3 * queueBytesMax);
    for (const urgency of ['normal', 'bulk', 'droppable'] as const)
      expect(one.send(2, message, urgency)).toBe(false);
    expect(one.isUp).toBe(true);
    peer.socket.resume();
    await eventually('all that was taken', 30_000, () => peer.of(MESSAGE).length === all, 5);
    const arrived = peer.of(MESSAGE).map((body) => ({ urgency: body[4]!, index: body.readUInt32BE(0) }));
    for (const urgency of [0, 1, 2]) {
      const indexes = arrived.filter((each) => each.urgency === urgency).map(({ index }) => index);
      expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
    }
    expect(new Set(arrived.map(({ index }) => index)).size).toBe(all);
    expect(one.send(2, message, 'droppable')).toBe(true);
  });

  it('of heartbeats overtakes the bulk that waits, and none is dropped because of it', async () => {
    const { one, call } = await calledReplica({ queueBytesMax: 8 * 1024 * 1024 });
    const peer = await call();
    await one.up();
    peer.socket.pause();
    const bulk = Buffer.alloc(64 * 1024, 'b');
    // Until the buffers of the operating system are full and nothing leaves any more.
    let bulkTaken = 0;
    for (let refused = 0; refused < 50; await turn()) {
      if (one.send(2, bulk, 'bulk')) [bulkTaken, refused] = [bulkTaken + 1, 0];
      else refused++;
    }
    const HEARTBEATS = 261;
    for (let round = 0; round < HEARTBEATS; round++) {
      expect(one.send(2, `heartbeat ${round}`, 'droppable')).toBe(true);
      await turn();
    }
    peer.socket.resume();
    await eventually('all', 30_000, () => peer.of(MESSAGE).length === bulkTaken + HEARTBEATS, 5);
    const lastHeartbeat = peer.of(MESSAGE).findLastIndex((body) => body.length < bulk.length);
    const bulkBehind = bulkTaken + HEARTBEATS - 1 - lastHeartbeat;
    // Half of the queue was bulk. Little of it went before the heartbeats, the rest behind them.
    expect(bulkBehind).toBeGreaterThan(55);
  });

  it('never holds a message that the peer would end the link for', async () => {
    const { one, two } = await linkedPair({
      called: { frameBytesMax: 1_000 },
      caller: { frameBytesMax: 1_000 },
    });
    expect(one.send(2, Buffer.alloc(1_000))).toBe(false);
    expect(one.send(2, Buffer.alloc(999, 'x'))).toBe(true);
    await eventually('the message', 30_000, () => two.messages[0]?.length === 999, 1);
    expect(two.downs).toEqual([]);
  });

  it('to nobody is refused', async () => {
    const { one } = await calledReplica();
    expect(one.send(2, 'anybody?')).toBe(false);
    expect(one.send(7, 'anybody?')).toBe(false);
  });
});

describe('damage', () => {
  const DAMAGES: Readonly<Record<string, readonly [string, (chunk: Buffer) => Buffer]>> = {
    'a flipped bit of a checksum': ['a frame with a wrong checksum', (chunk) => flipped(chunk, 5)],
    'a flipped bit of a message': ['a frame with a wrong checksum', (chunk) => flipped(chunk, 12)],
    'an oversize frame': [
      'a frame of 67108865 bytes; at most 67108864 are allowed',
      () => Buffer.from('0400000100000000', 'hex'),
    ],
    'an unknown kind of frame': ['a frame of the unknown kind 9', () => rawFrame(9, Buffer.from('?'))],
    'an empty frame': ['a frame of the unknown kind undefined', () => Buffer.alloc(8)],
  };
  it.each(Object.keys(DAMAGES))('%s ends the link, and it comes back', async (name) => {
    const [reason, harm] = DAMAGES[name]!;
    const { one, two, wire } = await linkedPair();
    two.send(1, 'before');
    await eventually('the message before', 30_000, () => one.messages.length === 1, 1);
    wire.onForth = (chunk) => {
      wire.onForth = (next) => next;
      return harm(chunk);
    };
    two.send(1, 'harmed');
    await Promise.all([one.up(2), two.up(2)]);
    expect(one.downs).toEqual([reason]);
    expect(two.downs).toHaveLength(1);
    two.send(1, 'after');
    await eventually('the message after', 30_000, () => one.messages.length === 2, 1);
    expect(one.messages.map(String)).toEqual(['before', 'after']);
  });
});
function flipped(chunk: Buffer, at: number): Buffer {
  const bad = Buffer.from(chunk);
  bad[at] = bad[at]! ^ 0x10;
  return bad;
}

describe('silence', () => {
  const SILENCE_MS = 60;

  it('of a peer that is only talked to ends the link', async () => {
    const { one, call } = await calledReplica({ silenceMs: SILENCE_MS });
    await call();
    await one.up();
    const since = performance.now();
    const talk = setInterval(() => one.send(2, 'are you there?'), 2);
    try {
      await eventually('the end', 30_000, () => one.downs.length === 1, 1);
    } finally {
      clearInterval(talk);
    }
    expect(one.downs).toEqual([`nothing was received for ${SILENCE_MS} ms`]);
    expect(performance.now() - since).toBeGreaterThan(SILENCE_MS * 0.9);
  });

  it('is also a frame that never ends, however many bytes come', async () => {
    const { one, call } = await calledReplica({ silenceMs: SILENCE_MS });
    const peer = await call();
    await one.up();
    peer.socket.write(rawFrame(MESSAGE, Buffer.alloc(10_000)).subarray(0, 100));
    const trickle = setInterval(() => peer.socket.write(Buffer.alloc(1)), 2);
    try {
      await eventually('the end', 30_000, () => one.downs.length === 1, 1);
    } finally {
      clearInterval(trickle);
    }
    expect(one.downs).toEqual([`nothing was received for ${SILENCE_MS} ms`]);
  });

  it('is not what a process missed while it was stopped', async () => {
    const { one, two } = await linkedPair({
      called: { silenceMs: SILENCE_MS },
      caller: { silenceMs: SILENCE_MS },
    });
    const until = performance.now() + 3 * SILENCE_MS;
    while (performance.now() < until);
    await sleep(SILENCE_MS / 2);
    expect([one.downs, two.downs]).toEqual([[], []]);
  });

  it('is broken in time by a replica that has nothing to say', async () => {
    const { one, two } = await linkedPair({
      called: { silenceMs: SILENCE_MS },
      caller: { silenceMs: SILENCE_MS },
    });
    await sleep(4 * SILENCE_MS);
    expect([one.downs, two.downs]).toEqual([[], []]);
    const { one: alone, call } = await calledReplica({ silenceMs: SILENCE_MS });
    const peer = await call();
    await alone.up();
    await eventually('a sign of life', 30_000, () => peer.of(ALIVE).length > 0, 1);
    expect(peer.of(MESSAGE)).toEqual([]);
  });
});

describe('what a replica says of itself', () => {
  const lastHello = (replica: TestReplica) => {
    const event = replica.events.at(-1);
    return event?.kind === 'up' ? event.hello : undefined;
  };

  it('reaches the peer when the link opens and whenever it changes', async () => {
    const { one, two } = await linkedPair();
    expect([lastHello(one), lastHello(two)]).toEqual([helloOf(2), helloOf(1)]);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      from.hello = { ...from.hello, formedWith: { 1: 'disk-of-1', 2: 'disk-of-2' } };
      from.transport.helloChanged();
      await to.up(2);
      expect(lastHello(to)).toEqual(JSON.parse(JSON.stringify(from.hello)));
    }
    expect([one.downs, two.downs]).toEqual([[], []]);
  });

  it('is refused when it changes into what must not be', async () => {
    const { one, two } = await linkedPair();
    two.hello = { ...two.hello, clusterId: 'another' };
    two.transport.helloChanged();
    await one.logged('replica 2 belongs to cluster another');
    expect(one.downs).toHaveLength(1);
  });

  it('is not lost when it changes between the call and the answer', async () => {
    const { two, listener } = await callingReplica();
    const peer = await eventually('the call', 30_000, () => listener.peers[0], 1);
    await eventually('its hello', 30_000, () => peer.of(HELLO).length === 1, 1);
    two.hello = { ...two.hello, incarnation: 'newer' };
    two.transport.helloChanged();
    peer.send(HELLO, introductionOf(1, 2));
    const later = await eventually('another hello', 30_000, () => peer.of(HELLO)[1], 1);
    expect(String(later)).toContain('"incarnation":"newer"');
  });
});
