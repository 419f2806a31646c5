/** How much may wait in one replica, and how long. What comes beyond that is refused as `overloaded`: nothing happened. */
export interface Limits {
  /** Commands for leaders elsewhere, those that wait for a leader included. */
  readonly forwarded: number;
  /** How long a forwarded command may wait for a leader, and then for its answer. Milliseconds. */
  readonly forwardedMs: number;
  /** Reads that wait for a leader elsewhere. */
  readonly readsElsewhere: number;
  /** Reads of one shard that is led here, until a quorum confirms that. */
  readonly readsHere: number;
}

export const DEFAULT_LIMITS: Limits = {
  forwarded: 1_000,
  forwardedMs: 5_000,
  readsElsewhere: 10_000,
  readsHere: 10_000,
};

/** Something that a replica holds for somebody, and the most of it that may be held between two turns. */
export interface Held {
  readonly what: string;
  readonly amount: number;
  readonly most: number;
}
