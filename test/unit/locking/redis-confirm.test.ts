import { describe, expect, it } from '@jest/globals';
import { type ConfirmOptions, type RedisClient, RedisStore } from '../../../src/locking/redis/index.js';
import { confirmationsOf } from '../../../src/locking/redis/confirm.js';

describe('what a Redis store asks for to confirm a write', () => {
  it.each<[ConfirmOptions, string[]]>([
    [{ replicas: 2, timeoutMs: 500 }, ['WAIT 2 500']],
    [{ masterDisk: true, timeoutMs: 500 }, ['WAITAOF 1 0 500']],
    [{ replicaDisks: 1, timeoutMs: 500 }, ['WAITAOF 0 1 500']],
    [{ replicas: 1, replicaDisks: 1, masterDisk: true, timeoutMs: 500 }, ['WAITAOF 1 1 500']],
    [{ replicas: 2, replicaDisks: 1, timeoutMs: 500 }, ['WAIT 2 500', 'WAITAOF 0 1 500']],
  ])('%j: %j', (options, commands) => {
    expect(confirmationsOf(options).map(({ command }) => command.join(' '))).toEqual(commands);
  });

  it('takes the counts as numbers and as texts, and says what is missing', () => {
    const [wait, aof] = confirmationsOf({ replicas: 2, masterDisk: true, replicaDisks: 1, timeoutMs: 9 });
    for (const enough of [2, '3']) expect(wait!.missing(enough)).toBeUndefined();
    expect(wait!.missing('1')).toBe('only 1 of 2 replicas had it within 9 ms');
    expect(aof!.missing([1, '1'])).toBeUndefined();
    expect(aof!.missing(['0', 1])).toBe('it was not on the disk of the master within 9 ms');
    expect(aof!.missing([1, 0])).toBe('it was on the disks of only 0 of 1 replicas within 9 ms');
  });

  it('does not take an answer that it does not understand for enough', () => {
    const [wait, aof] = confirmationsOf({ replicas: 2, masterDisk: true, timeoutMs: 9 });
    for (const strange of ['QUEUED', undefined]) expect(wait!.missing(strange)).toBeDefined();
    expect(aof!.missing([])).toBeDefined();
  });

  it.each<[ConfirmOptions, RegExp]>([
    [{ replicas: 1, timeoutMs: 0 }, /timeoutMs/],
    [{ replicas: 1, timeoutMs: 0.5 }, /timeoutMs/],
    [{ replicas: -1, timeoutMs: 5 }, /replicas/],
    [{ replicaDisks: 1.5, timeoutMs: 5 }, /replicaDisks/],
    [{ timeoutMs: 5 }, /no copy/],
  ])('refuses %j', (options, why) => {
    expect(() => confirmationsOf(options)).toThrow(why);
  });

  it('refuses a client without pipelines', () => {
    const client = { status: 'ready', on: () => undefined } as unknown as RedisClient;
    const confirm = { replicas: 1, timeoutMs: 5 };
    expect(() => new RedisStore(client, { confirm })).toThrow(/pipelines/);
  });
});
