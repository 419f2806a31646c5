import type { ShardId, Slot } from '../kernel/index.js';
import type { DiskCondition, DiskIdentity, LogRecord, Storage } from '../replica/index.js';
import { refuseUnfinished } from './directory.js';
import { examine, type Found, recordsIn, sinceBase } from './examine.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { newestSnapshots, readSnapshotFile } from './snapshot-files.js';

/** A data directory as a start would find it. Nothing of it is changed, and nobody is kept from using it. */
export interface StoppedDisk {
  readonly identity: DiskIdentity | undefined;
  readonly condition: DiskCondition;
  /** In order. Where the log is corrupt: what can be read before the damage, of which a start uses nothing. */
  readonly segments: readonly StoppedSegment[];
  /** Segments that were being created when the process died. A start removes them. */
  readonly unfinished: readonly string[];
  /** Newest snapshot of each shard, by the name of its file. */
  readonly snapshots: ReadonlyMap<ShardId, Slot>;
  /** The number of the next record: what peers remember of a disk. */
  readonly position: number;
  readonly readSnapshot: Storage['readSnapshot'];
}

export interface StoppedSegment {
  readonly path: string;
  readonly incarnation: string | undefined;
  /** The number of its first record. Markers of groups count as records. */
  readonly firstSequence: number;
  /** Behind its last readable group. */
  readonly end: { readonly offset: number; readonly sequence: number };
  records(): Iterable<LogRecord>;
}

/** Throws DataDirectoryError when the identity cannot be read, or a newer version wrote the log. */
export function readStoppedDisk(directory: string, fileSystem: FileSystem = nodeFileSystem): StoppedDisk {
  refuseUnfinished(fileSystem, directory);
  const { identity, found, condition, unfinished } = examine(fileSystem, directory);
  const snapshots = newestSnapshots(fileSystem, directory);
  const segment = (each: Found): StoppedSegment => ({
    path: each.segment.path,
    incarnation: each.header.incarnation,
    firstSequence: each.header.firstSequence,
    end: each.end,
    records: () => recordsIn([each]),
  });
  return {
    identity,
    condition,
    segments: sinceBase(found).map(segment),
    unfinished,
    snapshots,
    position: found.at(-1)?.end.sequence ?? 1,
    readSnapshot: (shard) => {
      const through = snapshots.get(shard);
      return Promise.resolve(
        through === undefined ? undefined : readSnapshotFile(fileSystem, directory, shard, through),
      );
    },
  };
}
