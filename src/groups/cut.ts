import { ByteWriter, type GroupId } from '../kernel/index.js';
import type { ClassicGroup } from './classic/state.js';
import type { OffsetTable, StoredOffset } from './offsets.js';
import type { GroupCommand } from './types/commands.js';

/** A group with fewer is written in one go. More are copied first: commands may change them between two chunks. */
const OFFSETS_IN_ONE_GO = 1_000;

/** How a group is written: its head, and one of its offsets. */
export interface GroupFormat {
  readonly head: (writer: ByteWriter, group: ClassicGroup) => void;
  readonly offset: (writer: ByteWriter, offset: StoredOffset) => void;
}

/** A group that is not written yet; `kept` as it was when the cut was made, once a command is about to change it. */
interface Left {
  readonly group: ClassicGroup;
  kept: { readonly head: Uint8Array; readonly offsets: OffsetTable } | undefined;
}

/**
 * The groups of one moment, written in chunks while commands are applied: what a command is about to change is kept first as
 * it is.
 */
export class Cut {
  readonly #left: Map<GroupId, Left>;
  readonly #format: GroupFormat;
  readonly #chunkBytes: number;

  constructor(groups: ReadonlyMap<GroupId, ClassicGroup>, format: GroupFormat, chunkBytes: number) {
    this.#left = new Map([...groups].map(([id, group]) => [id, { group, kept: undefined }]));
    this.#format = format;
    this.#chunkBytes = chunkBytes;
  }

  /** To be called before each command. */
  before(command: GroupCommand): void {
    switch (command.kind) {
      case 'group.startTokens':
        return;
      case 'group.expireThese':
        for (const { group } of command.groups) this.#keep(this.#left.get(group));
        return;
      case 'group.expireOffsets':
      case 'group.rollCall':
      case 'group.topicDeleted':
        for (const left of this.#left.values()) this.#keep(left);
        return;
      default:
        this.#keep(this.#left.get(command.group));
    }
  }

  #keep(left: Left | undefined): void {
    if (left === undefined || left.kept !== undefined) return;
    const head = new ByteWriter(1024);
    this.#format.head(head, left.group);
    left.kept = { head: head.copy(), offsets: left.group.offsets.copy() };
  }

  *chunks(writer: ByteWriter): Iterable<Uint8Array> {
    for (const [id, left] of this.#left) {
      this.#left.delete(id);
      if (left.group.offsets.count > OFFSETS_IN_ONE_GO) this.#keep(left);
      const { group, kept } = left;
      if (kept === undefined) this.#format.head(writer, group);
      else writer.raw(kept.head);
      const offsets = kept?.offsets ?? group.offsets;
      writer.varint(offsets.count);
      for (const offset of offsets.all()) {
        this.#format.offset(writer, offset);
        if (kept === undefined || writer.length < this.#chunkBytes) continue;
        yield writer.copy();
        writer.reset();
      }
      if (writer.length < this.#chunkBytes) continue;
      yield writer.copy();
      writer.reset();
    }
    yield writer.copy();
  }
}
