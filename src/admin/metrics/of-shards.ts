import { LAG_LIMITS } from '../lag.js';
import { byLabel, type Metric } from './definition.js';
import { GROUPS_MAX } from './scrape.js';

/** The logs, and what the groups and records in them do. */
export const OF_SHARDS: readonly Metric[] = [
  {
    name: 'quorate_serving',
    kind: 'gauge',
    labels: ['shard'],
    help: '1 when this replica leads the shard and serves.',
    read: (scrape) => scrape.perShard(({ leadership }) => (leadership.serving ? 1 : 0)),
  },
  {
    name: 'quorate_ballot_round',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Round of the highest promised ballot; it grows with each election.',
    read: (scrape) => scrape.perShard(({ promised }) => promised.round),
  },
  {
    name: 'quorate_elections_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'Elections that this replica won: start (no leader was known), hand-over (the leader asked for it), leader-died (its process had ended), leader-silent.',
    read: ({ measures }) => byLabel('cause', measures.elections),
  },
  {
    name: 'quorate_step_downs_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'Shards that this replica stopped leading: handed-over (it was to, or to who is preferred), no-quorum (too few answer), higher-ballot (another one was elected), disk-stalls, next-configuration (the replicas changed; it may lead the next one, too).',
    read: ({ measures }) => byLabel('cause', measures.stepDowns),
  },
  {
    name: 'quorate_chosen_slot',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Every slot through this one is chosen.',
    read: (scrape) => scrape.perShard(({ chosenThrough }) => chosenThrough),
  },
  {
    name: 'quorate_applied_slot',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Every slot through this one is applied here.',
    read: (scrape) => scrape.perShard(({ appliedThrough }) => appliedThrough),
  },
  {
    name: 'quorate_peer_behind_slots',
    kind: 'gauge',
    labels: ['shard', 'replica'],
    help: 'Slots of a shard led here that a peer does not have on disk yet.',
    read: ({ status }) =>
      status.shards
        .filter(({ leadership }) => leadership.serving)
        .flatMap(({ shard, lastSlot, peers }) =>
          peers.map(({ id, matched }) => ({
            labels: { shard, replica: id },
            value: Math.max(0, lastSlot - matched),
          })),
        ),
  },
  {
    name: 'quorate_in_flight',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Proposed here and not yet chosen.',
    read: (scrape) => scrape.perShard(({ inFlight }) => inFlight),
  },
  {
    name: 'quorate_queued',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Commands that wait for room in the window of proposals.',
    read: (scrape) => scrape.perShard(({ queued }) => queued),
  },
  {
    name: 'quorate_waiting_requests',
    kind: 'gauge',
    labels: ['queue'],
    help: 'What waits: reads (of shards led here, until a quorum says who leads), commands-elsewhere and reads-elsewhere (for the leader of their shard, or until one is known).',
    read: ({ status: { shards, waiting } }) =>
      byLabel('queue', {
        reads: shards.reduce((sum, { readsWaiting }) => sum + readsWaiting, 0),
        'commands-elsewhere': waiting.commands,
        'reads-elsewhere': waiting.reads,
      }),
  },
  {
    name: 'quorate_commit_seconds',
    kind: 'histogram',
    labels: [],
    help: 'From a command that a leader takes until it is chosen and applied there: what its client waits for beside the network.',
    read: ({ measures }) => [measures.commit],
  },
  {
    name: 'quorate_apply_seconds',
    kind: 'histogram',
    labels: [],
    help: 'To apply the commands that were chosen at once.',
    read: ({ measures }) => [measures.apply],
  },
  {
    name: 'quorate_groups',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Groups in the shard.',
    read: (scrape) => scrape.perShard(({ groups }) => groups),
  },
  {
    name: 'quorate_members',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Members of groups in the shard.',
    read: (scrape) => scrape.perShard(({ members }) => members),
  },
  {
    name: 'quorate_offsets',
    kind: 'gauge',
    labels: ['shard'],
    help: 'Committed offsets in the shard.',
    read: (scrape) => scrape.perShard(({ offsets }) => offsets),
  },
  {
    name: 'quorate_rebalances_total',
    kind: 'counter',
    labels: ['trigger'],
    help: 'Rebalances that have ended, of groups led here, by what began them.',
    read: ({ measures }) => byLabel('trigger', measures.rebalances),
  },
  {
    name: 'quorate_rebalance_seconds',
    kind: 'histogram',
    labels: [],
    help: 'From the call to stop until the members got their assignment; rebalances that another one overtook are left out.',
    read: ({ measures }) => [measures.rebalance],
  },
  {
    name: 'quorate_members_left_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'Members that left groups led here: left, session-expired, missed-rebalance, missed-sync, replaced, removed, unanswered.',
    read: ({ measures }) => byLabel('cause', measures.departures),
  },
  {
    name: 'quorate_retention_removed_offsets_total',
    kind: 'counter',
    labels: [],
    help: 'Offsets of groups led here that were past their retention and were removed.',
    read: ({ measures }) => [{ value: measures.expiredOffsets }],
  },
  {
    name: 'quorate_refused_writes_total',
    kind: 'counter',
    labels: ['reason'],
    help: 'Writes to records led here that changed nothing: version-conflict, stale-epoch (a later owner has sealed), already-exists, not-found.',
    read: ({ measures }) => byLabel('reason', measures.refusedWrites),
  },
  {
    name: 'quorate_group_members',
    kind: 'gauge',
    labels: ['group'],
    help: `Members of a group that this replica coordinates; of at most ${GROUPS_MAX} groups.`,
    read: ({ groups }) => groups.map(({ group, members }) => ({ labels: { group }, value: members })),
  },
  {
    name: 'quorate_group_generation',
    kind: 'gauge',
    labels: ['group'],
    help: 'Its generation (or group epoch): it grows with each rebalance.',
    read: ({ groups }) => groups.map(({ group, generation }) => ({ labels: { group }, value: generation })),
  },
  {
    name: 'quorate_groups_left_out',
    kind: 'gauge',
    labels: [],
    help: 'Groups led here without quorate_group_members and quorate_group_generation: there are too many.',
    read: ({ groupsLeftOut }) => [{ value: groupsLeftOut }],
  },
  {
    name: 'quorate_group_lag',
    kind: 'gauge',
    labels: ['group', 'topic'],
    help: 'Of a group that this replica coordinates: how far its offsets are behind the ends, all partitions together. Never negative.',
    read: ({ lags }) => lags.lags.map(({ group, topic, lag }) => ({ labels: { group, topic }, value: lag })),
  },
  {
    name: 'quorate_group_lag_left_out',
    kind: 'gauge',
    labels: [],
    help: `Groups with offsets and without quorate_group_lag: a scrape looks at ${LAG_LIMITS.groups} groups and ${LAG_LIMITS.offsets} offsets of whole groups, and tells ${LAG_LIMITS.lags} lags.`,
    read: ({ lags }) => [{ value: lags.leftOut }],
  },
];
