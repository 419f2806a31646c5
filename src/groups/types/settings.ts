/** Settings of the group room. Part of the cluster's facts: the leader stamps those that matter into commands. */
export interface GroupSettings {
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupSizeMax: number;
  /** The first rebalance of a group ends when no joiner came for this long ... */
  readonly initialQuietMs: number;
  /** ... and after this long at the latest. */
  readonly initialDelayMsMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly rebalanceRecordsMax: number;
}

export const DEFAULT_GROUP_SETTINGS: GroupSettings = {
  sessionTimeoutMsMin: 1_000,
  sessionTimeoutMsMax: 1_800_000,
  groupSizeMax: 100_000,
  initialQuietMs: 100,
  initialDelayMsMax: 3_000,
  offsetMetadataBytesMax: 4_096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  rebalanceRecordsMax: 20,
};
