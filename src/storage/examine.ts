import { join } from 'node:path';
import { type DiskCondition, type DiskIdentity, isMember, type LogRecord } from '../replica/index.js';
import { DataDirectoryError, readIdentity } from './directory.js';
import type { FileSystem } from './file-system.js';
import { readSegment, recordsOf, type ScannedSegment, scanSegment } from './scan.js';
import { type Segment, segmentName } from './write-ahead-log.js';

/** A segment whose records can be read through `end`. */
export interface Found extends ScannedSegment {
  readonly segment: Segment;
}

export interface Examined {
  readonly identity: DiskIdentity | undefined;
  /** In order. Where the log is corrupt: what is before the damage. */
  readonly found: readonly Found[];
  readonly condition: DiskCondition;
  /** Files of segments that were being created when the process died. They hold nothing. */
  readonly unfinished: readonly string[];
}

/**
 * Identity and log of a directory, as a start judges them. Changes nothing. Throws DataDirectoryError when the identity cannot be
 * read, or a newer version wrote the log.
 */
export function examine(fileSystem: FileSystem, directory: string): Examined {
  const identity = readIdentity(fileSystem, directory);
  const examined = examineSegments(fileSystem, directory, identity?.incarnation);
  if (examined.condition.kind === 'corrupt' || identity === undefined) return { identity, ...examined };
  // Pair: FileStorage.saveIdentity writes a group before it writes that this replica has a vote in its cluster.
  const votes = isMember(identity);
  const empty = examined.found.every(({ header, end }) => end.sequence === header.firstSequence);
  if (!votes || !empty) return { identity, ...examined };
  const detail = 'the log of a replica that votes in its cluster holds nothing';
  const file = join(directory, segmentName(1));
  return { identity, ...examined, condition: { kind: 'corrupt', file, offset: 0, detail } };
}

/**
 * What a start reads: from the newest base on. The process may have died while it removed the segments before it, so that what
 * is left of those begins anywhere. The next base removes them.
 */
export const sinceBase = (found: readonly Found[]): readonly Found[] =>
  found.slice(
    Math.max(
      0,
      found.findLastIndex(({ isBase }) => isBase),
    ),
  );

/** The records of segments that were examined, in order. A segment is let go of when its last record has been asked for. */
export function recordsIn(found: readonly Found[]): Iterable<LogRecord> {
  const left = found.map((each) => recordsOf(each.segment.path, each)[Symbol.iterator]());
  return {
    [Symbol.iterator]: () => ({
      next: () => {
        for (;;) {
          const next = left[0]?.next();
          if (next?.done !== true) return next ?? { done: true, value: undefined };
          left.shift();
        }
      },
    }),
  };
}

/** `incarnation`: of this disk; undefined when it has no name yet. */
function examineSegments(
  fileSystem: FileSystem,
  directory: string,
  incarnation: string | undefined,
): Omit<Examined, 'identity'> {
  const numbers = segmentNumbers(fileSystem, directory);
  const found: Found[] = [];
  const unfinished: string[] = [];
  let dropped = 0;
  for (const [index, number] of numbers.entries()) {
    const path = join(directory, segmentName(number));
    const corrupt = (offset: number, detail: string): Omit<Examined, 'identity'> => ({
      found,
      unfinished,
      condition: { kind: 'corrupt', file: path, offset, detail },
    });
    if (index > 0 && number !== numbers[index - 1]! + 1) return corrupt(0, 'a segment before it is missing');
    const scan = scanSegment(readSegment(fileSystem, path), found.at(-1), index === numbers.length - 1);
    switch (scan.kind) {
      case 'newer':
        throw new DataDirectoryError(
          `${path} was written by a newer version (format ${scan.version}): upgrade this one.`,
        );
      case 'incomplete':
        unfinished.push(path);
        continue;
      case 'corrupt': {
        const { readable } = scan;
        if (readable !== undefined)
          found.push({ segment: { number, path, used: readable.end.offset }, ...readable });
        return corrupt(scan.offset, scan.detail);
      }
      case 'valid':
        if (incarnation !== undefined && (scan.header.incarnation ?? incarnation) !== incarnation)
          return corrupt(0, 'the segment was written by another data directory');
        dropped = scan.dropped;
        found.push({ segment: { number, path, used: scan.end.offset }, ...scan });
    }
  }
  // Part of a group may be at the end of a segment only if it is the last: a new one begins with a whole group.
  return {
    found,
    unfinished,
    condition: numbers.length === 0 ? { kind: 'blank' } : { kind: 'intact', droppedBytes: dropped },
  };
}

function segmentNumbers(fileSystem: FileSystem, directory: string): readonly number[] {
  return fileSystem
    .readdirSync(directory)
    .map((name) => /^log-(\d{10})\.wal$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}
