import { ByteWriter, type GroupId } from '../kernel/index.js';
import type { ClassicGroup } from './classic/state.js';
import type { OffsetTable } from './offsets.js';
import type { GroupCommand } from './types/commands.js';

/** A group with fewer is written in one go. More are copied first: commands may change them between two chunks. */
const OFFSETS_IN_ONE_GO = 1_000;

/** How a group is written: its head, and one of its offsets. */
export interface GroupFormat {
  readonly head: (writer: ByteWriter, group: ClassicGroup) => void;
  readonly offset: (writer: ByteWriter, offset: OffsetOf) => void;
}
type OffsetOf = ReturnType<OffsetTable['all']> extends Iterable<infer Offset> ? Offset : never;

/** A group as it was when the cut was made. */
interface Kept {
  readonly head: Uint8Array;
  readonly offsets: OffsetTable;
}

/**
 * The groups of one moment, written in chunks while commands are applied: what a command is about to change is kept first as
 * it is.
 */
export class Cut {
  readonly #groups: readonly ClassicGroup[];
  readonly #format: GroupFormat;
  readonly #chunkBytes: number;
  /** Groups that are not written yet, by id. */
  readonly #left: Map<GroupId, ClassicGroup>;
  readonly #kept = new Map<ClassicGroup, Kept>();

  constructor(groups: ReadonlyMap<GroupId, ClassicGroup>, format: GroupFormat, chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
    this.#groups = [...groups.values()];
    this.#left = new Map(groups);
    this.#format = format;
  }

  /** To be called before each command. */
  before(command: GroupCommand): void {
    switch (command.kind) {
      case 'group.startTokens':
        return;
      case 'group.expireThese':
        for (const { group } of command.groups) this.#keep(group);
        return;
      case 'group.expireOffsets':
      case 'group.rollCall':
      case 'group.topicDeleted':
        for (const id of [...this.#left.keys()]) this.#keep(id);
        return;
      default:
        this.#keep(command.group);
    }
  }

  #keep(id: GroupId): void {
    const group = this.#left.get(id);
    if (group === undefined) return;
    this.#left.delete(id);
    const head = new ByteWriter(1024);
    this.#format.head(head, group);
    this.#kept.set(group, { head: head.copy(), offsets: group.offsets.copy() });
  }

  *chunks(writer: ByteWriter): Iterable<Uint8Array> {
    for (const group of this.#groups) {
      if (this.#left.has(group.id) && group.offsets.count > OFFSETS_IN_ONE_GO) this.#keep(group.id);
      const kept = this.#kept.get(group);
      this.#left.delete(group.id);
      this.#kept.delete(group);
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
