import { codec, crc32cWord } from '../kernel/index.js';
import { type StoredRecord, Space } from './space.js';
import type {
  RecordAtVersion,
  RecordFence,
  RecordField,
  RecordOperation,
  RegisterCommand,
  RegisterRecord,
  RegisterReply,
  Registers,
} from './types.js';

const fenceCodec = codec.struct<RecordFence>({
  scope: codec.string,
  token: codec.uint64,
  owner: codec.nullable(codec.string),
});
const fieldsCodec = codec.array(codec.struct<RecordField>({ name: codec.string, json: codec.string }));
const guarded = { id: codec.string, version: codec.uint, fence: codec.nullable(fenceCodec) };
const plainCodec = codec.struct<RecordAtVersion>(guarded);

const operationCodec = codec.union<RecordOperation>({
  insert: {
    tag: 1,
    codec: codec.struct({ id: codec.string, fields: fieldsCodec, fence: codec.nullable(fenceCodec) }),
  },
  update: { tag: 2, codec: codec.struct({ ...guarded, fields: fieldsCodec, replace: codec.boolean }) },
  delete: { tag: 3, codec: plainCodec },
  touch: { tag: 4, codec: plainCodec },
  check: { tag: 5, codec: plainCodec },
});

export const registerCommandCodec = codec.union<RegisterCommand>({
  'record.write': {
    tag: 1,
    codec: codec.struct({
      space: codec.string,
      operations: codec.array(operationCodec),
      atomic: codec.boolean,
    }),
  },
  'record.seal': { tag: 2, codec: codec.struct({ space: codec.string, fence: fenceCodec }) },
});

export function createRegisters(spaces: ReadonlyMap<string, Space> = new Map()): ShardRegisters {
  return new ShardRegisters(spaces);
}

export class ShardRegisters implements Registers {
  readonly spaces: Map<string, Space>;

  constructor(spaces: ReadonlyMap<string, Space>) {
    this.spaces = new Map(spaces);
  }

  apply(command: RegisterCommand): RegisterReply {
    let space = this.spaces.get(command.space);
    if (space === undefined) {
      space = new Space();
      this.spaces.set(command.space, space);
    }
    return command.kind === 'record.write'
      ? { kind: 'records', outcomes: space.write(command.operations, command.atomic) }
      : { kind: 'seal', outcome: space.seal(command.fence) };
  }

  get(space: string, id: string): RegisterRecord | undefined {
    const record = this.spaces.get(space)?.records.get(id);
    return record === undefined ? undefined : shown(id, record);
  }

  list(space: string, prefix: string, after: string, limit: number): readonly RegisterRecord[] {
    const records = this.spaces.get(space)?.records;
    if (records === undefined) return [];
    const ids = [...records.keys()].filter((id) => id.startsWith(prefix) && id > after).sort();
    return ids.slice(0, limit).map((id) => shown(id, records.get(id)!));
  }

  fenceOf(space: string, scope: string): bigint | null {
    return this.spaces.get(space)?.seals.get(scope)?.token ?? null;
  }

  get recordCount(): number {
    let count = 0;
    for (const { records } of this.spaces.values()) count += records.size;
    return count;
  }

  get recordBytes(): number {
    let bytes = 0;
    for (const space of this.spaces.values()) bytes += space.recordBytes;
    return bytes;
  }

  fingerprint(command: RegisterCommand, previous: number): number {
    const space = this.spaces.get(command.space);
    let crc = crc32cWord(space?.records.size ?? 0, previous);
    if (command.kind === 'record.seal')
      return crc32cWord(Number((space?.seals.get(command.fence.scope)?.token ?? 0n) & 0xffff_ffffn), crc);
    for (const { id } of command.operations)
      crc = crc32cWord((space?.records.get(id)?.version ?? 0) >>> 0, crc);
    return crc;
  }
}

function shown(id: string, { version, fence, fields }: StoredRecord): RegisterRecord {
  return {
    id,
    version,
    fence: fence?.token ?? null,
    fields: [...fields].map(([name, json]) => ({ name, json })),
  };
}
