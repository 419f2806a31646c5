import { begun, stepwise } from './iterate.js';

/** What a replica does on the event loop, as far as it is told apart when the loop stalls. */
export type WorkKind =
  /** Reading requests of clients and writing their answers. */
  | 'requests'
  /** Reading one that is large. */
  | 'decode'
  /** What clients ask of many at once, groups or offsets: gathering it, and writing it. */
  | 'lists'
  /** Messages of other replicas. */
  | 'messages'
  /** Commands that were chosen. */
  | 'apply'
  /** Taking the state of a shard at one moment. */
  | 'snapshot-cut'
  /** Making the bytes of a snapshot. */
  | 'snapshot-write'
  /** Making the state of a shard from one. */
  | 'snapshot-load'
  /** Gathering what the log begins with when it is shortened. */
  | 'compaction'
  /** The search for what is past its retention. */
  | 'sweep'
  /** Timers, proposals, and what the disk has written. */
  | 'upkeep';

/**
 * Runs it, and tells the watch of the loop what ran. What runs inside counts as its own kind. `about` is handed on, so that what runs
 * often needs no closure for each time.
 */
export interface Work {
  <T>(kind: WorkKind, run: () => T): T;
  <T, A>(kind: WorkKind, run: (about: A) => T, about: A): T;
}

/** Nobody watches. */
export const unwatched: Work = <T, A>(_kind: WorkKind, run: (about?: A) => T, about?: A): T => run(about);

/** The pieces of a snapshot, the first of which is its cut. */
export const snapshotPieces = <T>(pieces: Iterable<T>, work: Work): IterableIterator<T> => {
  let kind: WorkKind = 'snapshot-cut';
  const rest = stepwise(pieces, (next) => {
    const piece = work(kind, next);
    kind = 'snapshot-write';
    return piece;
  });
  return begun(rest);
};
