import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NotOwnedError } from '../../../src/locking/index.js';
import {
  type ConsumerFences,
  fencesOf,
  type Grant,
  type PartitionFence,
} from '../../../src/locking/kafkajs/index.js';

const SESSION_MS = 10_000;
const JOIN_GROUP = 11;
const HEARTBEAT = 12;
const SYNC_GROUP = 14;

/** A kafkajs consumer reduced to its events, and a coordinator reduced to its grants. */
class Stage {
  time = 1_000;
  grants: Grant[] = [];
  asked = 0;
  failures = 0;
  readonly fences: ConsumerFences;
  /** What was told, in order. */
  readonly told: string[] = [];
  readonly #emitter = new EventEmitter();
  readonly events = {
    GROUP_JOIN: 'consumer.group_join',
    REBALANCING: 'consumer.rebalancing',
    HEARTBEAT: 'consumer.heartbeat',
    REQUEST: 'consumer.network.request',
    STOP: 'consumer.stop',
    DISCONNECT: 'consumer.disconnect',
    CRASH: 'consumer.crash',
  };

  constructor() {
    this.fences = fencesOf(this, {
      urls: [],
      sessionTimeoutMs: SESSION_MS,
      clockDriftRatio: 0,
      retryMs: 1,
      now: () => this.time,
      source: {
        grants: () => {
          this.asked++;
          return this.failures-- > 0
            ? Promise.reject(new Error('nobody can tell'))
            : Promise.resolve(this.grants);
        },
      },
    });
    const names = (fences: readonly PartitionFence[]): string =>
      fences.map(({ partition, token }) => `${partition}:${token}`).join(' ');
    this.fences.on('owned', ({ fences }) => this.told.push(`owned ${names(fences)}`));
    this.fences.on('ended', ({ fences, why }) => this.told.push(`ended ${names(fences)}, ${why}`));
    this.fences.on('error', ({ error }) => this.told.push(`error ${error.message}`));
  }

  on(event: never, listener: (event: { readonly payload: unknown }) => void): () => void {
    this.#emitter.on(event, listener);
    return () => this.#emitter.off(event, listener);
  }
  emit(event: keyof Stage['events'], payload: object = {}): void {
    this.#emitter.emit(this.events[event], { payload });
  }

  grant(token: bigint, owner = 'me', partition = 0): void {
    this.grants = [{ scope: `g/t/${partition}`, owner, token }];
  }
  join(partitions: readonly number[] = [0], tookMs = 0): void {
    this.emit('REQUEST', { apiKey: JOIN_GROUP, duration: tookMs });
    this.emit('REQUEST', { apiKey: SYNC_GROUP, duration: tookMs });
    this.emit('GROUP_JOIN', { groupId: 'g', memberId: 'me', memberAssignment: { t: partitions } });
  }
  heartbeat(tookMs = 0): void {
    this.emit('REQUEST', { apiKey: HEARTBEAT, duration: tookMs });
    this.emit('HEARTBEAT', { groupId: 'g', memberId: 'me', groupGenerationId: 3 });
  }
}

describe('the fences of a kafkajs consumer', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(() => stage.fences.close());
  const refusal = (why: RegExp): unknown =>
    expect.objectContaining({ name: 'NotOwnedError', message: expect.stringMatching(why) as unknown });
  const thrown = (action: () => unknown): unknown => {
    try {
      action();
      return undefined;
    } catch (error) {
      return error;
    }
  };

  it('own nothing before the group was joined', () => {
    const fence = stage.fences.partition('t', 0);
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/not joined/));
    expect(fence.signal.aborted).toBe(true);
  });

  it('are refused until the token of this generation is known, then hand it out', async () => {
    stage.grant(7n, 'somebody else');
    stage.join();
    const fence = stage.fences.partition('t', 0);
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/not known yet/));
    expect(thrown(() => fence.token)).toEqual(refusal(/not known yet/));
    const ready = stage.fences.ready('t', 0);
    await new Promise((resume) => setTimeout(resume, 20));
    // A grant of the generation before is not ours, however often it is read.
    expect(stage.asked).toBeGreaterThan(1);
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/not known yet/));
    stage.grant(9n);
    const { token, scope, owner } = await ready;
    expect({ token, scope, owner }).toEqual({ token: 9n, scope: 'g/t/0', owner: 'me' });
    expect(() => fence.assertOwned()).not.toThrow();
    // What a store is given.
    expect({ ...fence }).toMatchObject({ scope: 'g/t/0', token: 9n, owner: 'me' });
  });

  it('keep asking while nobody can tell', async () => {
    stage.failures = 3;
    stage.grant(9n);
    stage.join();
    expect((await stage.fences.ready('t', 0)).token).toBe(9n);
    expect(stage.asked).toBe(4);
  });

  it('refuse a partition of another member', async () => {
    stage.grant(9n);
    stage.join([0]);
    await stage.fences.ready('t', 0);
    await expect(stage.fences.ready('t', 1)).rejects.toEqual(refusal(/another member/));
  });

  it('refuse a partition that the assignment gave to another member too, once the group is stable', async () => {
    stage.join([0, 1]);
    const refused = stage.fences.ready('t', 0);
    const owned = stage.fences.ready('t', 1);
    stage.grants = [
      { scope: 'g/t/0', owner: 'somebody else', token: 9n, isSettled: true },
      { scope: 'g/t/1', owner: 'me', token: 9n, isSettled: true },
    ];
    await expect(refused).rejects.toEqual(refusal(/another member/));
    expect((await owned).token).toBe(9n);
  });

  it('are worked on, one loop a partition, also when the handler is given late', async () => {
    stage.grant(9n);
    stage.join();
    await stage.fences.ready('t', 0);
    const log: string[] = [];
    const begun = new Promise<void>((resolve) =>
      stage.fences.work(async ({ token, signal }) => {
        log.push(`works ${token}`);
        resolve();
        await new Promise((ended) => signal.addEventListener('abort', ended));
        log.push(`stops ${token}`);
      }),
    );
    await begun;
    expect(() => stage.fences.work(() => undefined)).toThrow(/works already/);
    stage.grant(12n);
    stage.join();
    while (log.length < 3) await new Promise(setImmediate);
    stage.fences.close();
    await stage.fences.settled();
    expect(log).toEqual(['works 9', 'stops 9', 'works 12', 'stops 12']);
  });

  it('are worked on once when `owned` is where the handler is given', async () => {
    let runs = 0;
    stage.fences.on('owned', () => stage.fences.work(() => void runs++));
    stage.grant(9n);
    stage.join();
    await stage.fences.ready('t', 0);
    await stage.fences.settled();
    expect(runs).toBe(1);
  });

  it.each(['REBALANCING', 'STOP', 'DISCONNECT', 'CRASH'] as const)('end with %s, for good', async (event) => {
    stage.grant(9n);
    stage.join();
    const fence = await stage.fences.ready('t', 0);
    stage.emit(event);
    expect(fence.signal.aborted).toBe(true);
    expect(thrown(() => fence.assertOwned())).toBeInstanceOf(NotOwnedError);
    // A write under way may still name its token, and be refused by the store.
    expect(fence.token).toBe(9n);
    stage.grant(12n);
    stage.join();
    expect((await stage.fences.ready('t', 0)).token).toBe(12n);
    expect(thrown(() => fence.assertOwned())).toBeInstanceOf(NotOwnedError);
  });

  it('end when the consumer joins again, before it is told what it owns', async () => {
    stage.grant(9n);
    stage.join();
    const fence = await stage.fences.ready('t', 0);
    stage.emit('REQUEST', { apiKey: JOIN_GROUP, duration: 3 });
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/rebalancing/));
  });

  it('end with the session, counted from when the heartbeat left and not from its answer', async () => {
    stage.grant(9n);
    stage.join();
    const fence = await stage.fences.ready('t', 0);
    stage.time += SESSION_MS - 1;
    expect(() => fence.assertOwned()).not.toThrow();
    stage.heartbeat(4_000);
    stage.time += SESSION_MS - 4_000 - 1;
    expect(() => fence.assertOwned()).not.toThrow();
    stage.time += 1;
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/session timeout/));
    expect(fence.signal.aborted).toBe(true);
  });

  it('abort by themselves when the session runs out and nobody asks', async () => {
    const fences = fencesOf(stage, {
      urls: [],
      sessionTimeoutMs: 40,
      source: { grants: () => Promise.resolve(stage.grants) },
    });
    stage.grant(9n);
    stage.join();
    const { signal } = await fences.ready('t', 0);
    await new Promise((resume) => signal.addEventListener('abort', resume));
    expect(signal.reason).toEqual(refusal(/session timeout/));
    fences.close();
  });

  it('are asked for anew when a heartbeat is answered after the session was over here', async () => {
    stage.grant(9n);
    stage.join();
    const fence = await stage.fences.ready('t', 0);
    stage.time += SESSION_MS;
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/session timeout/));
    stage.grant(15n);
    stage.heartbeat();
    expect((await stage.fences.ready('t', 0)).token).toBe(15n);
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/session timeout/));
  });

  it('tell of every ownership that ends or returns, also when no rebalance was between', async () => {
    stage.grant(9n);
    stage.join();
    await stage.fences.ready('t', 0);
    stage.time += SESSION_MS;
    expect(thrown(() => stage.fences.partition('t', 0).assertOwned())).toEqual(refusal(/session timeout/));
    stage.heartbeat();
    await stage.fences.ready('t', 0);
    stage.emit('REBALANCING');
    expect(stage.told).toEqual([
      'owned 0:9',
      'ended 0:9, nothing was heard from the coordinator for a session timeout',
      'owned 0:9',
      'ended 0:9, the group is rebalancing',
    ]);
  });

  it('tell nothing twice when two events say that the membership ends', async () => {
    stage.grant(9n);
    stage.join();
    await stage.fences.ready('t', 0);
    stage.emit('REBALANCING');
    stage.emit('CRASH');
    stage.emit('STOP');
    expect(stage.told).toHaveLength(2);
  });

  describe('attached after the consumer had joined', () => {
    const granted = (owner: string, groupGeneration: number): void => {
      stage.grants = [
        { scope: 'g/t/0', owner, token: 9n, isSettled: true, groupGeneration },
        { scope: 'g/t/1', owner: 'somebody else', token: 9n, isSettled: true, groupGeneration },
      ];
    };

    it('learn from the next heartbeat on what the coordinator granted', async () => {
      granted('me', 3);
      const waiting = stage.fences.ready('t', 0);
      stage.heartbeat();
      expect((await waiting).token).toBe(9n);
      expect(stage.told).toEqual(['owned 0:9']);
      await expect(stage.fences.ready('t', 1)).rejects.toEqual(refusal(/another member/));
    });

    it('take no token of another generation than that of the heartbeat', async () => {
      granted('me', 4);
      stage.heartbeat();
      await new Promise((resume) => setTimeout(resume, 20));
      expect(stage.asked).toBeGreaterThan(1);
      expect(stage.told).toEqual([]);
    });

    it('do not come back by a late heartbeat of a membership that has ended', async () => {
      granted('me', 3);
      stage.emit('STOP');
      stage.heartbeat();
      await expect(stage.fences.ready('t', 0)).rejects.toEqual(refusal(/stopped/));
      expect(stage.asked).toBe(0);
    });
  });

  it('end with the session that the coordinator names when none is given', async () => {
    let time = 0;
    const fences = fencesOf(stage, {
      urls: [],
      clockDriftRatio: 0,
      now: () => time,
      source: {
        grants: () => Promise.resolve([{ scope: 'g/t/0', owner: 'me', token: 9n, sessionTimeoutMs: 6_000 }]),
      },
    });
    stage.join();
    const fence = await fences.ready('t', 0);
    time = 5_999;
    expect(() => fence.assertOwned()).not.toThrow();
    time = 6_000;
    expect(thrown(() => fence.assertOwned())).toEqual(refusal(/session timeout/));
    fences.close();
  });

  describe('with URLs', () => {
    const following = (urls: readonly string[]): ConsumerFences =>
      fencesOf(stage, { urls, readyTimeoutMs: 200, retryMs: 10 });

    it('say within the stated time why tokens cannot be had', async () => {
      const server = createServer((_, response) => void response.writeHead(404).end('<html>'));
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      const { port } = server.address() as AddressInfo;
      // IPv6: the server does not listen there.
      const fences = following([`http://127.0.0.1:${port}`, `http://[::1]:${port}`]);
      try {
        const told = new Promise((heard) => fences.on('error', heard));
        stage.join();
        await told;
        const failure = fences.ready('t', 0);
        await expect(failure).rejects.toEqual(refusal(/answered 404, and not as a replica.*; .*::1/));
      } finally {
        fences.close();
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    });

    it('refuse text that is no URL at once', () => {
      expect(() => following(['localhost:8080'])).toThrow('is no URL of a replica');
    });
  });
});
