import { createHook } from 'node:async_hooks';
import { Socket } from 'node:net';
import { describe, expect, it, jest } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { freePorts } from '../../harness/tcp-ports.js';
import { eventually, sleep } from '../../harness/waiting.js';
import { HELLO, MESSAGE, RawPeer } from './raw-peer.js';
import {
  calledReplica,
  callingReplica,
  closedAfterwards,
  directPair,
  helloOf,
  introductionOf,
  linkedPair,
  pair,
  TestReplica,
} from './transport-bench.js';

const PEERS = [{ id: replicaId(2), host: '127.0.0.1', port: 1 }];

describe('one link a pair', () => {
  it('when both replicas start at once, with the higher id calling', async () => {
    const { one, two, wire } = await linkedPair();
    await sleep(50);
    expect({ calls: wire.calls, open: wire.open, ups: [one.count('up'), two.count('up')] }).toEqual({
      calls: 1,
      open: 1,
      ups: [1, 1],
    });
  });

  it('when both dial at once: the call of the lower id is refused, the other stands', async () => {
    const { two, listener, port } = await callingReplica({}, (peer) =>
      peer.send(HELLO, introductionOf(1, 2)),
    );
    const call = await RawPeer.call(port);
    call.send(HELLO, introductionOf(1, 2));
    await two.up();
    await eventually('the end of the call', 30_000, () => call.isClosed, 1);
    two.send(1, 'over the link that stands');
    await eventually('the message', 30_000, () => listener.peers[0]!.of(MESSAGE).length === 1, 1);
    expect({ downs: two.downs, calls: listener.peers.length, closed: listener.peers[0]!.isClosed }).toEqual({
      downs: [],
      calls: 1,
      closed: false,
    });
  });

  it('asks a peer with a higher id that does not call, and both learn what the other has', async () => {
    const { one, two } = await pair({
      hellos: [helloOf(1, { agreement: { replicas: '1, 2' } }), helloOf(2, { agreement: { replicas: '2' } })],
      called: { askAfterMs: 10 },
      caller: { peers: [] },
    });
    await eventually('the question', 30_000, () => two.refused.length > 0, 1);
    expect(two.refused[0]).toBe(1);
    const line = /^warn: .*replica 1 has replicas 1, 2, replica 2 2: start both with what/;
    expect(await one.logged('refused a link')).toMatch(line);
    expect(await two.logged('refused a link')).toMatch(line);
    expect([...one.events, ...two.events]).toEqual([]);
  });

  it('asks no more than once a while, and without a warning, where nothing is wrong', async () => {
    const [nobody] = (await freePorts(1)) as [number];
    const { one, two } = await pair({
      called: { askAfterMs: 10 },
      caller: { peers: [{ id: replicaId(1), host: '127.0.0.1', port: nobody }] },
    });
    await eventually('two questions', 30_000, () => two.refused.length >= 2, 1);
    expect(await one.logged('of two replicas the one with the higher id calls')).toMatch(/^info/);
    expect([...one.log, ...two.log].filter((line) => line.startsWith('warn'))).toEqual([]);
    expect([...one.events, ...two.events]).toEqual([]);
  });

  it('when a peer calls again before its old link is known to be dead: the newer counts', async () => {
    const { one, call } = await calledReplica();
    const older = await call();
    await one.up();
    const newer = await call(introductionOf(2, 1, { incarnation: 'after a restart' }));
    await eventually('the end of the older', 30_000, () => older.isClosed, 1);
    expect(one.events.map(({ kind }) => kind)).toEqual(['up', 'down', 'up']);
    expect(one.downs).toEqual(['a newer link took its place']);
    older.socket.resume();
    newer.send(MESSAGE, Buffer.from('from the newer'));
    await eventually('its message', 30_000, () => one.messages.length === 1, 1);
    one.send(2, 'to the newer');
    await eventually('ours', 30_000, () => newer.of(MESSAGE).length === 1, 1);
    expect(older.of(MESSAGE)).toEqual([]);
  });

  it('after every kind of break', async () => {
    const { one, two, wire } = await linkedPair();
    for (let breaks = 1; breaks <= 5; breaks++) {
      wire.inject(Buffer.alloc(8));
      await Promise.all([one.up(breaks + 1), two.up(breaks + 1)]);
      await eventually('one link', 30_000, () => wire.open === 1, 1);
      expect(wire.calls).toBe(breaks + 1);
    }
  });
});

describe('a link that broke', () => {
  it.each([
    ['the one that is called', 'two', 'one'],
    ['the one that calls', 'one', 'two'],
  ] as const)('tells %s that the other process has ended', async (_, dies, learns) => {
    const linked = await directPair();
    await linked[dies].transport.close();
    await eventually('the news', 30_000, () => linked[learns].count('died') === 1, 1);
    expect(linked[learns].events.map(({ kind }) => kind)).toEqual(['up', 'down', 'died']);
  });

  it('says nothing of the kind while the other still listens', async () => {
    const linked = await directPair();
    // A newer link takes the place of theirs, and breaks too.
    const newer = await RawPeer.call(linked.ports[0]);
    newer.send(HELLO, introductionOf(2, 1));
    await linked.one.up(2);
    newer.socket.destroy();
    await Promise.all([linked.one.up(3), linked.two.up(2)]);
    await sleep(200);
    expect([linked.one.count('died'), linked.two.count('died')]).toEqual([0, 0]);
  });
});

/** The pauses that a transport makes, taken from the timers it sets. */
async function pausesOf(run: () => Promise<void>, pick: (ms: number) => boolean) {
  const timers = jest.spyOn(globalThis, 'setTimeout');
  try {
    await run();
    return timers.mock.calls.map(([, ms]) => ms!).filter(pick);
  } finally {
    timers.mockRestore();
  }
}

describe('calling again', () => {
  // Odd on purpose: no other timer of the process has such a delay.
  const [reconnectMs, reconnectMsMax] = [4.04, 20.2];
  const isPause =
    (factor: number, unit = reconnectMs) =>
    (ms: number) =>
      [1, 2, 4, 5].some((times) => Math.abs(ms - unit * times * factor) < 1e-9);

  it.each([
    ['the shortest jitter', 0, 0.5],
    ['a middling one', 0.5, 0.75],
    ['the longest', 1, 1],
  ])('waits twice as long each time up to the longest pause, with %s', async (_, chance, factor) => {
    const pauses = await pausesOf(async () => {
      const calls: number[] = [];
      const { listener } = await callingReplica(
        { reconnectMs, reconnectMsMax, random: () => chance },
        (peer) => {
          calls.push(performance.now());
          peer.socket.destroy();
        },
      );
      await eventually('seven calls', 30_000, () => listener.calledAt.length >= 7, 1);
      // And it does wait: timers may fire late, and a hair early.
      for (let index = 3; index < 7; index++)
        expect(calls[index]! - calls[index - 1]!).toBeGreaterThan(reconnectMs * 4 * factor - 2);
    }, isPause(factor));
    expect(pauses.slice(0, 6).map((ms) => Math.round((ms / reconnectMs / factor) * 100) / 100)).toEqual([
      1, 2, 4, 5, 5, 5,
    ]);
  });

  it('asks for chance each time', async () => {
    const chances = [0.1, 0.9, 0.3, 0.7, 0.2, 0.6];
    let asked = 0;
    const { two } = await callingReplica(
      { reconnectMs: 1, reconnectMsMax: 2, random: () => chances[asked++ % chances.length]! },
      (peer) => peer.socket.destroy(),
    );
    await eventually('six questions', 30_000, () => asked >= 6, 1);
    expect(two.events).toEqual([]);
  });

  it('grows the pauses also when links open and break at once, and starts over after one that lasted', async () => {
    let breaking = true;
    let lasting: RawPeer | undefined;
    // So long that a link which breaks at once does not last as long on a busy machine.
    const [unit, most] = [40.04, 200.2];
    const pauses = await pausesOf(
      async () => {
        const answer = (peer: RawPeer): void => {
          peer.send(HELLO, introductionOf(1, 2));
          if (breaking) peer.socket.end();
          else lasting = peer;
        };
        const { two } = await callingReplica(
          { reconnectMs: unit, reconnectMsMax: most, random: () => 1 },
          answer,
        );
        await eventually('five links', 30_000, () => two.count('up') >= 5, 1);
        breaking = false;
        const peer = await eventually('one that lasts', 30_000, () => lasting, 1);
        await two.up(two.count('down') + 1);
        await sleep(3 * most);
        peer.socket.destroy();
        await two.up(two.count('down') + 2);
      },
      isPause(1, unit),
    );
    const steps = pauses.map((ms) => Math.round(ms / unit));
    expect(steps.slice(0, 4)).toEqual([1, 2, 4, 5]);
    expect(steps.at(-1)).toBe(1);
  });

  it('finds a peer that comes later, and says once that it was not there', async () => {
    const [first, second] = (await freePorts(2)) as [number, number];
    const at = (id: number, port: number) => ({ id: replicaId(id), host: '127.0.0.1', port });
    const two = new TestReplica(helloOf(2), { listen: at(2, second), peers: [at(1, first)] });
    closedAfterwards(two.transport);
    await two.start();
    await two.logged(`info: replica 1 cannot be reached at 127.0.0.1:${first}: connect ECONNREFUSED`);
    await sleep(60);
    const one = new TestReplica(helloOf(1), { listen: at(1, first), peers: [at(2, second)] });
    closedAfterwards(one.transport);
    await one.start();
    await Promise.all([one.up(), two.up()]);
    expect(two.log).toHaveLength(1);
  });
});

/** Sockets, servers and timers that are born while `run` runs and still live when it has ended. */
async function leftBehind(run: () => Promise<void>): Promise<string[]> {
  const alive = new Map<number, string>();
  const hook = createHook({
    init: (id, type) => {
      // What draws the progress of the tests may live in this process, and has a timer now and then.
      if (/^(Timeout|TCP|PIPE)/.test(type) && !new Error().stack!.includes('@jest/reporters'))
        alive.set(id, type);
    },
    destroy: (id) => alive.delete(id),
  });
  hook.enable();
  try {
    await run();
    // Sockets take some turns of the loop to go; the shortest timer takes many more.
    for (let turns = 0; turns < 100 && alive.size > 0; turns++)
      await new Promise((resume) => setImmediate(resume));
    return [...alive.values()];
  } finally {
    hook.disable();
  }
}

describe('close', () => {
  it('leaves no socket and no timer of a link', async () => {
    const left = await leftBehind(async () => {
      const { one, two, wire } = await linkedPair();
      two.send(1, 'the last word');
      await Promise.all([two.transport.close(), one.transport.close(), wire.close()]);
      expect([one.downs, two.downs].flat()).toContain('this replica stops');
    });
    expect(left).toEqual([]);
  });

  it('leaves none of a refused pair and of strangers', async () => {
    const left = await leftBehind(async () => {
      const { one, two, wire } = await pair({ hellos: [helloOf(1), helloOf(2, { clusterId: 'another' })] });
      await two.logged('refused a link');
      const { one: called, call } = await calledReplica();
      const [silent, refused] = [await call(Buffer.alloc(0)), await call(introductionOf(2, 7))];
      await called.logged('refused a link');
      const closed = performance.now();
      await Promise.all([
        two.transport.close(),
        one.transport.close(),
        called.transport.close(),
        wire.close(),
      ]);
      // It does not wait until those who were refused have gone.
      expect(performance.now() - closed).toBeLessThan(500);
      for (const { socket } of [silent, refused]) socket.destroy();
    });
    expect(left).toEqual([]);
  });

  it('leaves none of a pause between calls', async () => {
    const left = await leftBehind(async () => {
      const { two, listener } = await callingReplica({ reconnectMs: 60_000 }, (peer) =>
        peer.socket.destroy(),
      );
      await two.logged('no link');
      await Promise.all([two.transport.close(), listener.close()]);
    });
    expect(left).toEqual([]);
  });

  it('gives up a call that has not been answered yet', async () => {
    const [port, nobody] = (await freePorts(2)) as [number, number];
    const call = jest.spyOn(Socket.prototype, 'connect');
    try {
      const two = new TestReplica(helloOf(2), {
        listen: { host: '127.0.0.1', port },
        peers: [{ id: replicaId(1), host: '127.0.0.1', port: nobody }],
      });
      await two.start();
      const closing = two.transport.close();
      expect(call.mock.contexts.map((socket) => (socket as Socket).destroyed)).toEqual([true]);
      await closing;
      expect(two.log).toEqual([]);
    } finally {
      call.mockRestore();
    }
  });

  it('is quiet, takes no more calls, and may be asked for twice or before the start', async () => {
    const { one, two } = await linkedPair();
    await one.transport.close();
    await one.transport.close();
    expect(one.send(2, 'too late')).toBe(false);
    await two.logged('replica 1 at');
    expect(one.log).toEqual([]);
    const [port] = (await freePorts(1)) as [number];
    const idle = new TestReplica(helloOf(1), { listen: { host: '127.0.0.1', port }, peers: PEERS });
    await idle.transport.close();
  });
});

describe('start', () => {
  it('fails when the address is taken', async () => {
    const { port } = await calledReplica();
    const other = new TestReplica(helloOf(1), { listen: { host: '127.0.0.1', port }, peers: PEERS });
    await expect(other.start()).rejects.toThrow('EADDRINUSE');
    await other.transport.close();
  });
});
