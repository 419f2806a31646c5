import { describe, expect, it } from '@jest/globals';
import type { Fields, FieldValue } from '../../../src/locking/index.js';
import { decodeFields, encodeFields } from '../../../src/locking/redis/fields.js';
import { Keys, oneTag, tagByResource, tagByScope } from '../../../src/locking/redis/keys.js';

/** As HSET and HGETALL do it. */
function stored(fields: Fields): [string, string][] {
  const flat = encodeFields(fields);
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
const back = (value: FieldValue): FieldValue => decodeFields(stored({ field: value }))['field']!;

describe('fields of a Redis hash', () => {
  it.each([
    [
      'texts',
      ['', 'ada', 'ädä 🦊', '~', '~n', '~s5', ' 5', '5 ', '1e3', '0x10', '01', '1.0', '+1', '-', '\u0000'],
    ],
    ['texts that look like numbers', ['5', '-5', '0', '1.5', '1e+21', 'NaN', 'Infinity', '-Infinity', '-0']],
    ['numbers', [0, -0, 5, -1.5, 1e21, 5e-324, 2 ** 53, Number.MAX_VALUE, NaN, Infinity, -Infinity]],
    ['bigints', [0n, -1n, 2n ** 62n + 1n, -(2n ** 80n)]],
    ['booleans and null', [true, false, null]],
    ['dates', [new Date(0), new Date(1_700_000_000_123), new Date(-1)]],
    ['bytes', [new Uint8Array(), new Uint8Array([0, 255, 128, 10])]],
  ] as const)('come back as they went in: %s', (_kind, values) => {
    for (const value of values) expect(back(value)).toStrictEqual(value);
  });

  it('take a view into a larger buffer as the bytes it shows', () => {
    expect(back(new Uint8Array([1, 2, 3, 4]).subarray(1, 3))).toStrictEqual(new Uint8Array([2, 3]));
  });

  it('show texts and numbers to those who read by hand', () => {
    expect(Object.fromEntries(stored({ owner: 'ada', balance: -5, big: 7n }))).toEqual({
      owner: 'ada',
      balance: '-5',
      big: '~i7',
    });
  });

  it('may have names that objects have of their own', () => {
    const names = Object.fromEntries([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
    expect(Object.entries(decodeFields(stored(names)))).toEqual(Object.entries(names));
  });

  it('are refused, by name, when a hash cannot give them back', () => {
    expect(() => encodeFields({ inner: { a: 1 } } as unknown as Fields)).toThrow(
      /field inner is of type object/,
    );
    expect(() => encodeFields({ gone: undefined } as unknown as Fields)).toThrow(/field gone/);
    expect(() => encodeFields({ '@version': 1 })).toThrow(/@version/);
  });
});

describe('keys of Redis records', () => {
  const keys = new Keys('q:', oneTag());

  it('are different for different records', () => {
    const names = [
      ['a:b', 'c'],
      ['a', 'b:c'],
      ['a%3Ab', 'c'],
      ['a', 'b%3Ac'],
    ] as const;
    expect(new Set(names.map(([resource, id]) => keys.record(resource, id))).size).toBe(names.length);
    expect(keys.record('accounts', '7')).toBe('q:{all}:r:accounts:7');
    expect(keys.seal('g/t/0')).toBe('q:{all}:s:g/t/0');
  });

  it('keep a brace of a scope inside their tag', () => {
    const scoped = new Keys(
      '',
      tagByScope((_, id) => id.split('|')[0]!),
    );
    expect(scoped.seal('g}x/t/0')).toBe('{g%7Dx/t/0}:s:g}x/t/0');
    expect(scoped.record('accounts', 'g}x/t/0|7')).toBe('{g%7Dx/t/0}:r:accounts:g}x/t/0|7');
  });

  it('of a record and of the seal of its scope have the same tag, or the write is refused', () => {
    const byTopic = new Keys(
      '',
      tagByResource((scope) => scope.split('/')[1]!),
    );
    const operation = { kind: 'touch', resource: 'orders', id: '7', version: 1 } as const;
    expect(byTopic.tagOf({ ...operation, fence: { scope: 'g/orders/0', token: 1n } })).toBe('orders');
    expect(() => byTopic.tagOf({ ...operation, fence: { scope: 'g/bills/0', token: 1n } })).toThrow(
      /hash tags orders and bills/,
    );
  });

  it('refuse a prefix that would hide the tag, and an empty tag', () => {
    expect(() => new Keys('{a}', oneTag())).toThrow(/brace/);
    expect(() => new Keys('', oneTag('')).seal('s')).toThrow(/empty/);
  });
});
