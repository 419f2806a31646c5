/** What a replica does on the event loop, as far as it is told apart when the loop stalls. */
export type WorkKind =
  /** Reading requests of clients and writing their answers. */
  | 'requests'
  /** Messages of other replicas. */
  | 'messages'
  /** Commands that were chosen. */
  | 'apply'
  /** Writing a snapshot of a shard, or reading one. */
  | 'snapshot'
  /** The search for what is past its retention. */
  | 'sweep'
  /** Timers, proposals, and what the disk has written. */
  | 'upkeep';

/** Runs it, and tells the watch of the loop what ran. What runs inside counts as its own kind. */
export type Work = <T>(kind: WorkKind, run: () => T) => T;

/** Nobody watches. */
export const unwatched: Work = (_kind, run) => run();
