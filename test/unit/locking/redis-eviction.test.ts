import { describe, expect, it, jest } from '@jest/globals';
import { EvictingStoreError, type RedisClient, RedisStore } from '../../../src/locking/redis/index.js';

const FENCE = { scope: 'g/t/0', token: 7n };

/** A Redis reduced to what INFO says, and a script that always seals. */
class FakeRedis implements RedisClient {
  readonly status = 'ready';
  asked = 0;
  sent = 0;
  constructor(
    readonly policy: string,
    readonly maxmemory = 1_000_000,
  ) {}
  on(): void {
    // Its connection is never lost.
  }
  info(): Promise<string> {
    this.asked++;
    return Promise.resolve(`# Memory\r\nmaxmemory:${this.maxmemory}\r\nmaxmemory_policy:${this.policy}\r\n`);
  }
  evalsha(): Promise<unknown> {
    this.sent++;
    return Promise.resolve('o');
  }
  eval(): Promise<unknown> {
    return this.evalsha();
  }
  hgetall(): Promise<unknown> {
    return Promise.resolve({});
  }
  hget(): Promise<null> {
    return Promise.resolve(null);
  }
}

describe('a Redis store on a server that may evict fences', () => {
  it('refuses every seal and write, and sends none', async () => {
    const redis = new FakeRedis('allkeys-lru');
    const store = new RedisStore(redis);
    for (let i = 0; i < 2; i++) await expect(store.seal(FENCE)).rejects.toThrow(EvictingStoreError);
    await expect(
      store.write([{ kind: 'update', resource: 'r', id: 'a', version: 1, changes: {} }], 'each'),
    ).rejects.toThrow('noeviction');
    expect([redis.asked, redis.sent]).toEqual([1, 0]);
  });

  it.each([
    ['nothing is evicted', new FakeRedis('noeviction'), {}],
    ['memory has no limit', new FakeRedis('allkeys-lru', 0), {}],
    ['only keys with an expiry are evicted, and it sets none', new FakeRedis('volatile-ttl'), {}],
    ['it is told to ignore it', new FakeRedis('allkeys-lru'), { eviction: 'ignore' }],
  ] as const)('seals when %s', async (_, redis, options) => {
    await new RedisStore(redis, options).seal(FENCE);
    expect(redis.sent).toBe(1);
  });

  it('refuses volatile policies when its tombstones expire', async () => {
    const store = new RedisStore(new FakeRedis('volatile-ttl'), { tombstoneMs: 1_000 });
    await expect(store.seal(FENCE)).rejects.toThrow('volatile-ttl');
  });

  it('warns once when it is told to', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const redis = new FakeRedis('allkeys-lfu');
    const store = new RedisStore(redis, { eviction: 'warn' });
    for (let i = 0; i < 2; i++) await store.seal(FENCE);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]![0]).toContain('allkeys-lfu');
    expect([redis.asked, redis.sent]).toEqual([1, 2]);
    warned.mockRestore();
  });
});
