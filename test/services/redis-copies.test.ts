import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { seededRandom } from '../../src/kernel/index.js';
import { AggregateChange, LockingError, Records } from '../../src/locking/index.js';
import { type RedisClient, RedisStore } from '../../src/locking/redis/index.js';
import { describeWithService } from '../harness/describe-with-service.js';
import { sleep } from '../harness/waiting.js';

jest.setTimeout(60_000);

interface Account {
  readonly [field: string]: number;
}

await describeWithService('redis', 'Redis, where scripts arrive twice', ({ url }) => {
  let direct: Redis;
  beforeAll(() => {
    direct = new Redis(url);
  });
  afterAll(() => direct.quit());
  let unique = 0;
  let prefix: string;
  const accountsOf = (store: RedisStore): Records<Account> => new Records<Account>(store, 'accounts');
  const beside = (): Records<Account> => accountsOf(new RedisStore(direct, { prefix }));

  it('each write counts at most once, and no answer is wrong', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
    const random = seededRandom(seed);
    const seen = new Set<string>();
    for (let life = 0; life < 15; life++) {
      prefix = `${process.pid}-${Date.now()}-${unique++}:`;
      await beside().insert('a', {});
      const outcomes = new Map<string, string>();
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        const store = new RedisStore(
          copying(direct, () => random.below(5)),
          { prefix },
        );
        const accounts = accountsOf(store);
        for (let i = 0; i < 25; i++) {
          const mark = `w${writer}-${i}`;
          const { version } = await beside().read('a');
          const token = BigInt(random.below(3) + life);
          const options = random.chance(0.3) ? { fence: { scope: `s${random.below(3)}`, token } } : {};
          const single = random.chance(0.5);
          const changes = { [mark]: 1 };
          const write = single
            ? accounts.update({ id: 'a', version }, changes, options)
            : new AggregateChange<Account>(store, 'accounts', { id: 'a', version }, options)
                .set(changes)
                .insert('lines', mark, { n: 1 })
                .commit();
          outcomes.set(mark, await write.then(() => 'done', codeOf));
          if (!single) outcomes.set(`${mark}+`, outcomes.get(mark)!);
        }
      });
      await Promise.all(writers);
      await sleep(20);
      const { version, value } = await beside().read('a');
      const marks = new Set(Object.keys(value));
      const lines = [...outcomes.keys()].filter((mark) => mark.endsWith('+'));
      const found = await new RedisStore(direct, { prefix }).read(
        'lines',
        lines.map((mark) => mark.slice(0, -1)),
      );
      found.forEach((line, i) => line !== undefined && marks.add(lines[i]!));
      const wrong = [...outcomes].filter(
        ([mark, outcome]) => outcome !== 'outcome-unknown' && (outcome === 'done') !== marks.has(mark),
      );
      expect({ replay: `SEED=${seed}`, life, wrong }).toEqual({ replay: `SEED=${seed}`, life, wrong: [] });
      expect(version).toBe(1 + Object.keys(value).length);
      for (const outcome of outcomes.values()) seen.add(outcome);
    }
    for (const kind of ['done', 'version-conflict', 'stale-epoch']) expect(seen).toContain(kind);
  });
});

const codeOf = (error: unknown): string => {
  if (error instanceof LockingError) return error.code;
  throw error;
};

/**
 * The client, except that now and then a connection breaks: a script is carried out, its answer lost, and it is sent
 * again; or it is sent again first and the first copy arrives late.
 */
function copying(client: Redis, chance: () => number): RedisClient {
  const listeners: (() => void)[] = [];
  const twice = async (send: () => Promise<unknown>): Promise<unknown> => {
    const dice = chance();
    if (dice > 1) return send();
    const copy = dice === 0 ? send() : sleep(5).then(send);
    // Nobody hears the answer to this one, be it an error (a server that does not know the script yet).
    const loses = copy.catch(() => undefined);
    await sleep(chance());
    listeners.forEach((listener) => listener());
    const answer = await send();
    if (dice === 0) await loses;
    return answer;
  };
  return {
    status: 'ready',
    on: (_, listener) => listeners.push(listener),
    evalsha: (...args) => twice(() => client.evalsha(...args)),
    eval: (...args) => client.eval(...args),
    hgetall: (key) => client.hgetall(key),
    hget: (key, field) => client.hget(key, field),
  };
}
