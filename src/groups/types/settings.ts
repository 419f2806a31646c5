/** Settings of groups. The leader writes the settings that a command depends on into the command. */
export interface GroupSettings {
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupSizeMax: number;
  /** Groups of the whole cluster; each shard takes its share of them. */
  readonly groupsMax: number;
  /** The first rebalance of a group ends when no member has joined for this time ... */
  readonly initialQuietMs: number;
  /** ... and after this time at the latest. */
  readonly initialDelayMsMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly rebalanceRecordsMax: number;
}

export const DEFAULT_GROUP_SETTINGS: GroupSettings = {
  sessionTimeoutMsMin: 1_000,
  sessionTimeoutMsMax: 1_800_000,
  groupSizeMax: 20_000,
  groupsMax: 50_000,
  initialQuietMs: 100,
  initialDelayMsMax: 3_000,
  offsetMetadataBytesMax: 4_096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  rebalanceRecordsMax: 20,
};
