import {
  type ByteReader,
  ByteWriter,
  chunkWasRead,
  codec,
  finished,
  MalformedBytesError,
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
const tombstonesCodec = codec.map(codec.string, codec.struct<Tombstone>({ version: codec.uint, fence }));
const sealsCodec = codec.map(
  codec.string,
  codec.struct<Seal>({ token: codec.uint64, owner: codec.nullable(codec.string) }),
);

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

/** Reads what `snapshotRegisters` gave, and no further. Throws MalformedBytesError. */
export const restoreRegisters = (reader: ByteReader): Registers => finished(restoringRegisters(reader));

/** The same in steps, each as long as a chunk of a snapshot. */
export function* restoringRegisters(reader: ByteReader): Steps<Registers> {
  const stepEnds = chunkWasRead(reader);
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
    for (let j = 0; j < records; j++) {
      space.keep(reader.string(), recordCodec.read(reader));
      if (stepEnds()) yield;
    }
    spaces.set(name, space);
  }
  return createRegisters(spaces);
}
