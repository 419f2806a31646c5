import {
  type ByteReader,
  ByteWriter,
  codec,
  MalformedBytesError,
  type PartedBytes,
  SNAPSHOT_CHUNK_BYTES,
  type Steps,
} from '../kernel/index.js';
import { createRegisters, ShardRegisters } from './registers.js';
import type { Seal } from '../guard/index.js';
import { type FenceMark, Space, type StoredRecord, type Tombstone } from './space.js';
import type { Registers } from './types.js';

const FORMAT = 1;

const fence = codec.nullable(codec.struct<FenceMark>({ scope: codec.string, token: codec.uint64 }));
const recordCodec = codec.struct<StoredRecord>({
  version: codec.uint,
  fence,
  fields: codec.map(codec.string, codec.string),
});
const tombstoneCodec = codec.struct<Tombstone>({ version: codec.uint, fence });
const tombstonesCodec = codec.map(codec.string, tombstoneCodec);
const sealCodec = codec.struct<Seal>({ token: codec.uint64, owner: codec.nullable(codec.string) });
const sealsCodec = codec.map(codec.string, sealCodec);

/**
 * The whole state in chunks, as it is when the first one is asked for: records are replaced, never changed, so
 * that commands may be applied between two chunks. It needs no end mark, so that other state can follow.
 */
export function* snapshotRegisters(
  registers: Registers,
  chunkBytes: number = SNAPSHOT_CHUNK_BYTES,
): Iterable<Uint8Array> {
  if (!(registers instanceof ShardRegisters))
    throw new TypeError('only what createRegisters made can be snapshotted');
  const writer = new ByteWriter(1024);
  writer.u8(FORMAT);
  writer.varint(registers.spaces.size);
  const spaces = [...registers.spaces].map(([name, { versionFloor, tombstones, seals, records }]) => {
    const head = new ByteWriter(256);
    head.string(name);
    head.varint(versionFloor);
    tombstonesCodec.write(head, tombstones);
    sealsCodec.write(head, seals);
    head.varint(records.size);
    return { head: head.copy(), ids: [...records.keys()], records: [...records.values()] };
  });
  yield writer.copy();
  writer.reset();
  for (const { head, ids, records } of spaces) {
    writer.raw(head);
    for (const [i, id] of ids.entries()) {
      writer.string(id);
      recordCodec.write(writer, records[i]!);
      if (writer.length < chunkBytes) continue;
      yield writer.copy();
      writer.reset();
    }
  }
  yield writer.copy();
}

/** Reads what `snapshotRegisters` gave, and no further, in steps, each as long as a chunk of a snapshot. Throws MalformedBytesError. */
export function* restoringRegisters(bytes: PartedBytes): Steps<Registers> {
  const count = yield* bytes.item(readHead);
  const spaces = new Map<string, Space>();
  for (let i = 0; i < count; i++) {
    const space = new Space();
    const name = yield* bytes.item((reader) => {
      const read = reader.string();
      space.versionFloor = reader.varint();
      return read;
    });
    yield* bytes.counted((reader) => space.tombstones.set(reader.string(), tombstoneCodec.read(reader)));
    yield* bytes.counted((reader) => space.seals.set(reader.string(), sealCodec.read(reader)));
    yield* bytes.counted((reader) => space.keep(reader.string(), recordCodec.read(reader)));
    spaces.set(name, space);
  }
  return createRegisters(spaces);
}

function readHead(reader: ByteReader): number {
  const format = reader.u8();
  if (format !== FORMAT)
    throw new MalformedBytesError(`records in format ${format}, this version knows ${FORMAT}`);
  return reader.varint();
}
