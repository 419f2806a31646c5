import { type ByteReader, ByteWriter, codec, MalformedBytesError } from '../kernel/index.js';
import { createRegisters, ShardRegisters } from './registers.js';
import type { Seal } from '../guard/index.js';
import { type FenceMark, Space, type StoredRecord, type Tombstone } from './space.js';
import type { Registers } from './types.js';

const FORMAT = 1;
const CHUNK_BYTES = 512 * 1024;

const fence = codec.nullable(codec.struct<FenceMark>({ scope: codec.string, token: codec.uint64 }));
const recordCodec = codec.struct<StoredRecord>({
  version: codec.uint,
  fence,
  fields: codec.map(codec.string, codec.string),
});
const tombstonesCodec = codec.map(codec.string, codec.struct<Tombstone>({ version: codec.uint, fence }));
const sealsCodec = codec.map(
  codec.string,
  codec.struct<Seal>({ token: codec.uint64, owner: codec.nullable(codec.string) }),
);

/** The whole state in chunks of about half a MiB; it needs no end mark, so that other state can follow. */
export function* snapshotRegisters(registers: Registers): Iterable<Uint8Array> {
  if (!(registers instanceof ShardRegisters))
    throw new TypeError('only what createRegisters made can be snapshotted');
  const writer = new ByteWriter(1024);
  writer.u8(FORMAT);
  writer.varint(registers.spaces.size);
  for (const [name, space] of registers.spaces) {
    writer.string(name);
    writer.varint(space.versionFloor);
    tombstonesCodec.write(writer, space.tombstones);
    sealsCodec.write(writer, space.seals);
    writer.varint(space.records.size);
    for (const [id, record] of space.records) {
      writer.string(id);
      recordCodec.write(writer, record);
      if (writer.length < CHUNK_BYTES) continue;
      yield writer.copy();
      writer.reset();
    }
  }
  yield writer.copy();
}

/** Reads what `snapshotRegisters` gave, and no further. Throws MalformedBytesError. */
export function restoreRegisters(reader: ByteReader): Registers {
  const format = reader.u8();
  if (format !== FORMAT)
    throw new MalformedBytesError(`records in format ${format}, this version knows ${FORMAT}`);
  const spaces = new Map<string, Space>();
  const count = reader.varint();
  for (let i = 0; i < count; i++) {
    const name = reader.string();
    const space = new Space();
    space.versionFloor = reader.varint();
    for (const [id, tombstone] of tombstonesCodec.read(reader)) space.tombstones.set(id, tombstone);
    for (const [scope, seal] of sealsCodec.read(reader)) space.seals.set(scope, seal);
    const records = reader.varint();
    for (let j = 0; j < records; j++) space.records.set(reader.string(), recordCodec.read(reader));
    spaces.set(name, space);
  }
  return createRegisters(spaces);
}
