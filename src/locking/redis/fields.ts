import type { Fields, FieldValue } from '../model.js';

/**
 * Fields as the text that a hash holds. What reads well stays as it is, so that `HGET` by hand shows it: a text as itself
 * and a number as its digits. Everything else, and a text that could be taken for something else, begins with `~`:
 * `~s` text, `~i` bigint, `~d` Date in milliseconds, `~x` bytes in base64, `~n` null, `~t` true, `~f` false, `~-0`.
 */
const MARK = '~';
/** Names with this first character belong to the store. */
const RESERVED = '@';
/** Of NaN and Infinity, too. */
const FIRST_OF_A_NUMBER: ReadonlySet<number> = new Set(
  Array.from('-0123456789IN', (char) => char.charCodeAt(0)),
);

/**
 * Names and texts, alternating, ready for HSET; appended to `out`.
 * @throws TypeError naming the field, when it holds what a hash cannot give back.
 */
export function encodeFields(fields: Fields, out: string[] = []): string[] {
  for (const name of Object.keys(fields)) {
    if (name.startsWith(RESERVED))
      throw new TypeError(`the field ${name}: names with ${RESERVED} are the store's own`);
    out.push(name, encodeValue(name, fields[name]));
  }
  return out;
}

/** The user's fields of what HGETALL gave. */
export function decodeFields(stored: Iterable<readonly [string, string]>): Fields {
  const fields: [string, FieldValue][] = [];
  for (const [name, text] of stored) if (!name.startsWith(RESERVED)) fields.push([name, decodeValue(text)]);
  return Object.fromEntries(fields);
}

function encodeValue(name: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.startsWith(MARK) || readsAsNumber(value) ? `~s${value}` : value;
    case 'number':
      return Object.is(value, -0) ? '~-0' : String(value);
    case 'bigint':
      return `~i${value}`;
    case 'boolean':
      return value ? '~t' : '~f';
    default:
      if (value === null) return '~n';
      if (value instanceof Date) return `~d${value.getTime()}`;
      if (value instanceof Uint8Array) return `~x${bytesOf(value).toString('base64')}`;
      throw new TypeError(
        `the field ${name} is of type ${typeof value}: a record is one flat row of plain values`,
      );
  }
}

function decodeValue(text: string): FieldValue {
  if (!text.startsWith(MARK)) return readsAsNumber(text) ? Number(text) : text;
  const rest = text.slice(2);
  switch (text[1]) {
    case 's':
      return rest;
    case 'i':
      return BigInt(rest);
    case 'd':
      return new Date(Number(rest));
    case 'x':
      return new Uint8Array(Buffer.from(rest, 'base64'));
    case 'n':
      return null;
    case 't':
      return true;
    case 'f':
      return false;
    case '-':
      return -0;
    default:
      return text;
  }
}

/** What `String(number)` can give, and nothing else: `1` and `1e+21`, not `01`, `1.0` or `1e21`. */
const readsAsNumber = (text: string): boolean =>
  FIRST_OF_A_NUMBER.has(text.charCodeAt(0)) && String(Number(text)) === text;

const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
