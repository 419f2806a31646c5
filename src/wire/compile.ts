import { assertNever, type Int64 } from '../kernel/index.js';
import type { WireReader } from './reader.js';
import type { FieldShape, Shape, StructShape } from './schema.js';
import { WireError } from './wire-error.js';
import { WireWriter } from './writer.js';

/** A shape in one version: no question of versions is left to ask while bytes flow. */
export interface VersionCodec {
  readonly read: (reader: WireReader) => unknown;
  readonly write: (writer: WireWriter, value: unknown) => void;
  /** The fewest bytes a value takes: what bounds the length of an array before anything is allocated. */
  readonly bytesMin: number;
}
type Message = Record<string, unknown>;

/** Compiles a shape for one version. `compact`: the version is flexible (KIP-482). */
export function compile(shape: Shape, version: number, compact: boolean): VersionCodec {
  const lengthBytes = compact ? 1 : 4;
  switch (shape.kind) {
    case 'boolean':
      return codec<boolean>(
        1,
        (r) => r.boolean(),
        (w, v) => w.boolean(v),
      );
    case 'int8':
      return codec<number>(
        1,
        (r) => r.int8(),
        (w, v) => w.int8(v),
      );
    case 'int16':
      return codec<number>(
        2,
        (r) => r.int16(),
        (w, v) => w.int16(v),
      );
    case 'int32':
      return codec<number>(
        4,
        (r) => r.int32(),
        (w, v) => w.int32(v),
      );
    case 'int64':
      return codec<Int64>(
        8,
        (r) => r.int64(),
        (w, v) => w.int64(v),
      );
    case 'uuid':
      return codec<string>(
        16,
        (r) => r.uuid(),
        (w, v) => w.uuid(v),
      );
    case 'string':
      return codec<string>(
        compact ? 1 : 2,
        (r) => r.string(compact),
        (w, v) => w.string(v, compact),
      );
    case 'bytes':
      return codec<Uint8Array>(
        lengthBytes,
        (r) => r.bytes(compact),
        (w, v) => w.bytes(v, compact),
      );
    case 'array':
      return compileArray(compile(shape.item, version, compact), compact);
    case 'struct':
      return compileStruct(shape, version, compact);
    case 'nullable':
      return compileNullable(shape, version, compact);
    default:
      return assertNever(shape);
  }
}

function codec<T>(
  bytesMin: number,
  read: (reader: WireReader) => T,
  write: (writer: WireWriter, value: T) => void,
): VersionCodec {
  return { bytesMin, read, write: write as VersionCodec['write'] };
}

function readItems(reader: WireReader, item: VersionCodec, length: number): unknown[] {
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) items.push(item.read(reader));
  return items;
}
function writeItems(
  writer: WireWriter,
  item: VersionCodec,
  items: readonly unknown[],
  compact: boolean,
): void {
  writer.arrayLength(items.length, compact);
  for (const value of items) item.write(writer, value);
}
function compileArray(item: VersionCodec, compact: boolean): VersionCodec {
  return codec<readonly unknown[]>(
    compact ? 1 : 4,
    (r) => readItems(r, item, r.arrayLength(compact, item.bytesMin)),
    (w, v) => writeItems(w, item, v, compact),
  );
}

function compileNullable(
  shape: Extract<Shape, { kind: 'nullable' }>,
  version: number,
  compact: boolean,
): VersionCodec {
  const inner = compile(shape.inner, version, compact);
  if (version < shape.since) {
    return codec<unknown>(inner.bytesMin, inner.read, (w, v) => {
      if (v === null && shape.before === undefined) throw new WireError(`null before version ${shape.since}`);
      inner.write(w, v === null ? shape.before : v);
    });
  }
  switch (shape.inner.kind) {
    case 'string':
      return codec<string | null>(
        inner.bytesMin,
        (r) => r.nullableString(compact),
        (w, v) => w.nullableString(v, compact),
      );
    case 'bytes':
      return codec<Uint8Array | null>(
        inner.bytesMin,
        (r) => r.nullableBytes(compact),
        (w, v) => w.nullableBytes(v, compact),
      );
    case 'array': {
      const item = compile(shape.inner.item, version, compact);
      return codec<readonly unknown[] | null>(
        inner.bytesMin,
        (r) => {
          const length = r.nullableArrayLength(compact, item.bytesMin);
          return length < 0 ? null : readItems(r, item, length);
        },
        (w, v) => (v === null ? w.arrayLength(-1, compact) : writeItems(w, item, v, compact)),
      );
    }
    default:
      throw new TypeError(`a nullable ${shape.inner.kind} is not used by the APIs spoken here`);
  }
}

interface VersionField {
  readonly name: string;
  readonly codec: VersionCodec;
  readonly shape: FieldShape;
}

function compileStruct(shape: StructShape, version: number, compact: boolean): VersionCodec {
  const plain: VersionField[] = [];
  const tagged: VersionField[] = [];
  const absent: (readonly [string, FieldShape])[] = [];
  const blank: Message = {};
  for (const [name, field] of Object.entries(shape.fields)) {
    const present = version >= field.since && version <= field.until && (field.tag === null || compact);
    if (!field.hasDefault && (!present || field.tag !== null)) {
      throw new TypeError(`${name} is not in version ${version} and has no default`);
    }
    // Decoded objects have all their fields from birth and in one order: one hidden class for all versions.
    blank[name] = field.fallback;
    if (!present) absent.push([name, field]);
    else {
      const compiled = { name, codec: compile(field.shape, version, compact), shape: field };
      (field.tag === null ? plain : tagged).push(compiled);
    }
  }
  tagged.sort((a, b) => a.shape.tag! - b.shape.tag!);
  const essential = absent.filter(([, field]) => field.essential);

  const read = (reader: WireReader): Message => {
    const value = { ...blank };
    let i = 0;
    try {
      for (; i < plain.length; i++) value[plain[i]!.name] = plain[i]!.codec.read(reader);
    } catch (error) {
      throw error instanceof WireError ? error.within(plain[i]!.name) : error;
    }
    if (compact) readTagged(reader, tagged, value);
    return value;
  };
  const write = (writer: WireWriter, value: Message): void => {
    for (const [name, field] of essential) {
      if (value[name] !== undefined && !isDefault(value[name], field.fallback)) {
        throw new WireError(`version ${version} cannot carry it`).within(name);
      }
    }
    let i = 0;
    try {
      for (; i < plain.length; i++) {
        const { name, codec, shape } = plain[i]!;
        codec.write(writer, valueOf(value, name, shape));
      }
    } catch (error) {
      throw error instanceof WireError ? error.within(plain[i]!.name) : error;
    }
    if (compact) writeTagged(writer, tagged, value);
  };
  const bytesMin = plain.reduce((sum, { codec }) => sum + codec.bytesMin, compact ? 1 : 0);
  return codec<Message>(bytesMin, read, write);
}

function valueOf(message: Message, name: string, field: FieldShape): unknown {
  const value = message[name];
  if (value !== undefined) return value;
  if (!field.hasDefault) throw new WireError('no value and no default');
  return field.fallback;
}

function readTagged(reader: WireReader, fields: readonly VersionField[], into: Message): void {
  for (let left = reader.uvarint(); left > 0; left--) {
    const tag = reader.uvarint();
    const size = reader.uvarint();
    const field = fields.find(({ shape }) => shape.tag === tag);
    if (field === undefined) {
      reader.raw(size);
      continue;
    }
    try {
      into[field.name] = reader.bounded(size, () => field.codec.read(reader));
    } catch (error) {
      throw error instanceof WireError ? error.within(field.name) : error;
    }
  }
}

function writeTagged(writer: WireWriter, fields: readonly VersionField[], message: Message): void {
  const set = fields.filter(({ name, shape }) => {
    const value = message[name];
    return value !== undefined && !isDefault(value, shape.fallback);
  });
  writer.uvarint(set.length);
  for (const { name, codec, shape } of set) {
    const body = new WireWriter(64);
    try {
      codec.write(body, message[name]);
    } catch (error) {
      throw error instanceof WireError ? error.within(name) : error;
    }
    writer.uvarint(shape.tag!);
    writer.uvarint(body.length);
    writer.raw(body.view());
  }
}

/** Equal in all that a default can hold: primitives, null, an empty array, an object of such. */
function isDefault(value: unknown, fallback: unknown): boolean {
  if (value === fallback) return true;
  if (value === null || fallback === null || typeof value !== 'object' || typeof fallback !== 'object')
    return false;
  if (Array.isArray(value)) return value.length === 0 && Array.isArray(fallback) && fallback.length === 0;
  return Object.entries(fallback).every(([name, item]) => {
    const own = (value as Message)[name];
    return own === undefined || isDefault(own, item);
  });
}
