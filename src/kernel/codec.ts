import { assert } from './assert.js';
import { ByteReader, ByteWriter, EndOfBytesError, MalformedBytesError } from './bytes.js';
import { type Int64, int64 as asInt64 } from './int64.js';

/** Converts a value of type T to bytes and back. Codecs are built from each other, so that a schema reads like its type. */
export interface Codec<T> {
  write(writer: ByteWriter, value: T): void;
  read(reader: ByteReader): T;
}
export type Decoded<C> = C extends Codec<infer T> ? T : never;

/** Encodes one value into bytes of its own. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new ByteWriter();
  codec.write(writer, value);
  return writer.copy();
}

/** Decodes bytes that hold exactly one value; throws MalformedBytesError otherwise. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new ByteReader(bytes);
  const value = codec.read(reader);
  reader.end();
  return value;
}

export const boolean: Codec<boolean> = { write: (w, v) => w.u8(v ? 1 : 0), read: (r) => r.u8() === 1 };
/** Unsigned integer up to 2^53. */
export const uint: Codec<number> = { write: (w, v) => w.varint(v), read: (r) => r.varint() };
/** Signed integer up to +-2^52. */
export const int: Codec<number> = { write: (w, v) => w.zigzag(v), read: (r) => r.zigzag() };
/** Unsigned integer below 2^64. */
export const uint64: Codec<bigint> = {
  write: (w, v) => {
    w.u32(Number(v >> 32n));
    w.u32(Number(v & 0xffff_ffffn));
  },
  read: (r) => (BigInt(r.u32()) << 32n) | BigInt(r.u32()),
};
export const double: Codec<number> = { write: (w, v) => w.f64(v), read: (r) => r.f64() };
/**
 * Eight bytes as a double while that is exact: as version 0.1.0 wrote offsets. Beyond it NaN, which no number of
 * ours is, and then the 64 bits.
 */
export const int64: Codec<Int64> = {
  write: (w, v) => {
    if (typeof v === 'number') return w.f64(v);
    w.f64(Number.NaN);
    uint64.write(w, BigInt.asUintN(64, v));
  },
  read: (r) => {
    const value = r.f64();
    return Number.isNaN(value) ? asInt64(BigInt.asIntN(64, uint64.read(r))) : value;
  },
};
export const string: Codec<string> = { write: (w, v) => w.string(v), read: (r) => r.string() };
/** Decodes to a copy, so that a small value never keeps a large frame alive. */
export const bytes: Codec<Uint8Array> = { write: (w, v) => w.bytes(v), read: (r) => Buffer.from(r.bytes()) };

/** The same bytes under a branded type: `branded<GroupId>()(string)`. */
export const branded =
  <B extends Base, Base = B>() =>
  (codec: Codec<Base>): Codec<B> =>
    codec as unknown as Codec<B>;

export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    write: (w, v) => {
      if (v === null) return w.u8(0);
      w.u8(1);
      codec.write(w, v);
    },
    read: (r) => (r.u8() === 0 ? null : codec.read(r)),
  };
}

export function array<T>(codec: Codec<T>): Codec<readonly T[]> {
  return {
    write: (w, v) => {
      w.varint(v.length);
      for (const item of v) codec.write(w, item);
    },
    read: (r) => {
      const length = r.varint();
      if (length > r.remaining)
        throw new EndOfBytesError(`an array of ${length} items in ${r.remaining} bytes`);
      const items: T[] = [];
      for (let i = 0; i < length; i++) items.push(codec.read(r));
      return items;
    },
  };
}

/** A Map, written in its own order: deterministic when insertion is. */
export function map<K, V>(key: Codec<K>, value: Codec<V>): Codec<Map<K, V>> {
  return {
    write: (w, v) => {
      w.varint(v.size);
      for (const [k, item] of v) {
        key.write(w, k);
        value.write(w, item);
      }
    },
    read: (r) => {
      const size = r.varint();
      if (size > r.remaining) throw new EndOfBytesError(`a map of ${size} entries in ${r.remaining} bytes`);
      const result = new Map<K, V>();
      for (let i = 0; i < size; i++) {
        const k = key.read(r);
        result.set(k, value.read(r));
      }
      return result;
    },
  };
}

type Fields<T> = { [K in keyof T]-?: Codec<T[K]> };

/** An object, field after field in the order of the schema. */
export function struct<T extends object>(fields: Fields<T>): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  const codecs = names.map((name) => fields[name]);
  return {
    write: (w, v) => {
      for (let i = 0; i < names.length; i++) codecs[i]!.write(w, v[names[i]!]);
    },
    read: (r) => {
      const value: Partial<T> = {};
      for (let i = 0; i < names.length; i++) value[names[i]!] = codecs[i]!.read(r);
      return value as T;
    },
  };
}

/** One of a fixed list of strings, by its place in the list. Append only: places are on disk. */
export function oneOf<const S extends readonly string[]>(...names: S): Codec<S[number]> {
  return {
    write: (w, v) => {
      const place = names.indexOf(v);
      assert(place >= 0, `${v} is one of ${names.join(', ')}`);
      w.u8(place);
    },
    read: (r) => {
      const place = r.u8();
      const name = names[place];
      if (name === undefined) throw new MalformedBytesError(`no variant ${place}`);
      return name;
    },
  };
}

type Kinded = { readonly kind: string };
type Variants<U extends Kinded> = {
  [K in U['kind']]: { readonly tag: number; readonly codec: Codec<Omit<Extract<U, { kind: K }>, 'kind'>> };
};

/**
 * A discriminated union on `kind`. Tags are on disk and on the wire: never change or reuse one.
 * The record type makes a new variant fail to compile until it has a codec.
 */
export function union<U extends Kinded>(variants: Variants<U>): Codec<U> {
  const byTag = new Map<number, { kind: string; codec: Codec<object> }>();
  const byKind: Readonly<Record<string, { tag: number; codec: Codec<object> }>> = variants;
  for (const [kind, { tag, codec }] of Object.entries(byKind)) {
    assert(!byTag.has(tag), `tag ${tag} of ${kind} is used once`);
    byTag.set(tag, { kind, codec });
  }
  return {
    write: (w, v) => {
      const { tag, codec } = byKind[v.kind]!;
      w.u8(tag);
      codec.write(w, v);
    },
    read: (r) => {
      const tag = r.u8();
      const variant = byTag.get(tag);
      if (variant === undefined) throw new MalformedBytesError(`no variant with tag ${tag}`);
      // The variant has just made this object, and nobody else has it: a copy would take longer than reading it did.
      const value = variant.codec.read(r) as { kind: string };
      value.kind = variant.kind;
      return value as U;
    },
  };
}
