import type { Random } from '../../../src/kernel/index.js';
import { NO_UUID } from '../../../src/wire/index.js';
import type { Shape, StructShape } from '../../../src/wire/schema.js';

const TEXTS = ['', 'a', 'orders', 'group-7', 'ä', '漢字', '🙂', 'x'.repeat(200)];
const INT64 = [
  0,
  -1,
  -2,
  1,
  4294967295,
  4294967296,
  -4294967297,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  1_850_000_000_000_000_000n,
  2n ** 53n,
  -(2n ** 53n),
  2n ** 63n - 1n,
  -(2n ** 63n),
];

/** A message as decoding it in `version` would yield: random where the version has the field, its default elsewhere. */
export function randomMessage(
  shape: StructShape,
  version: number,
  flexible: boolean,
  random: Random,
): object {
  return Object.fromEntries(
    Object.entries(shape.fields).map(([name, field]) => {
      const present = version >= field.since && version <= field.until && (field.tag === null || flexible);
      const keepsDefault = field.tag !== null && random.chance(0.5);
      return [
        name,
        present && !keepsDefault ? randomValue(field.shape, version, flexible, random) : field.fallback,
      ];
    }),
  );
}

function randomValue(shape: Shape, version: number, flexible: boolean, random: Random): unknown {
  switch (shape.kind) {
    case 'boolean':
      return random.chance(0.5);
    case 'int8':
      return random.below(256) - 128;
    case 'int16':
      return random.below(65536) - 32768;
    case 'int32':
      return random.pick([0, -1, 1, 2147483647, -2147483648, random.below(100_000)]);
    case 'int64':
      return random.chance(0.5) ? random.pick(INT64) : random.below(2 ** 48);
    case 'uuid':
      return random.chance(0.2) ? NO_UUID : randomUuid(random);
    case 'string':
      return random.pick(TEXTS);
    case 'bytes':
      return Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
    case 'array':
      return Array.from({ length: random.below(4) }, () =>
        randomValue(shape.item, version, flexible, random),
      );
    case 'struct':
      return randomMessage(shape, version, flexible, random);
    case 'nullable':
      return version >= shape.since && random.chance(0.3)
        ? null
        : randomValue(shape.inner, version, flexible, random);
  }
}

function randomUuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
