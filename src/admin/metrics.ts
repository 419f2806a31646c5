import { groupLags } from './lag.js';
import type { AdminSource } from './port.js';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly {
    readonly labels?: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

/** Prometheus' text format. Names are a promise to dashboards: add, never rename. */
export function metricsText(source: AdminSource): string {
  const { lags, leftOut } = groupLags(source);
  const { shards, peers, clocks, failuresTolerated, logBytes, diskStalls } = source.status();
  const stalls = source.stalls();
  const perShard = (
    name: string,
    help: string,
    value: (shard: (typeof shards)[number]) => number,
  ): Metric => ({
    name: `quorate_${name}`,
    help,
    type: 'gauge',
    samples: shards.map((shard) => ({ labels: { shard: shard.shard }, value: value(shard) })),
  });
  const metrics: Metric[] = [
    {
      name: 'quorate_ready',
      help: 'May clients be sent here.',
      type: 'gauge',
      samples: [{ value: source.readiness().ready ? 1 : 0 }],
    },
    {
      name: 'quorate_peers_up',
      help: 'Other replicas with a working link.',
      type: 'gauge',
      samples: [{ value: peers.filter(({ up }) => up).length }],
    },
    {
      name: 'quorate_peer_votes',
      help: 'A replica is up and votes; 0 when it is down, or follows without a vote.',
      type: 'gauge',
      samples: peers.map(({ id, votes }) => ({ labels: { replica: id }, value: votes ? 1 : 0 })),
    },
    {
      name: 'quorate_failures_tolerated',
      help: 'How many more replicas may fail before the cluster stops; -1 without a quorum.',
      type: 'gauge',
      samples: [{ value: failuresTolerated }],
    },
    {
      name: 'quorate_clock_ahead_seconds',
      help: 'How far the wall clock of a replica is ahead of the time of the cluster; negative when behind.',
      type: 'gauge',
      samples: clocks.map(({ id, aheadMs }) => ({ labels: { replica: id }, value: aheadMs / 1_000 })),
    },
    {
      name: 'quorate_log_bytes',
      help: 'Bytes of write-ahead log a restart would read.',
      type: 'gauge',
      samples: [{ value: logBytes }],
    },
    {
      name: 'quorate_disk_stalls',
      help: 'The disk finishes no write: this replica leads nothing and does not vote.',
      type: 'gauge',
      samples: [{ value: diskStalls ? 1 : 0 }],
    },
    {
      name: 'quorate_loop_stalls_total',
      help: 'Stalls of the event loop of more than 100 ms, by what held it.',
      type: 'counter',
      samples: stalls.map(({ cause, count }) => ({ labels: { cause }, value: count })),
    },
    {
      name: 'quorate_loop_stalled_seconds_total',
      help: 'How long the event loop stalled, all stalls of more than 100 ms together.',
      type: 'counter',
      samples: stalls.map(({ cause, ms }) => ({ labels: { cause }, value: ms / 1_000 })),
    },
    perShard('serving', 'This replica leads the shard and serves.', ({ leadership }) =>
      leadership.serving ? 1 : 0,
    ),
    perShard(
      'ballot_round',
      'Round of the highest promised ballot; it grows with each election.',
      ({ promised }) => promised.round,
    ),
    perShard('chosen_slot', 'Everything through this slot is chosen.', ({ chosenThrough }) => chosenThrough),
    perShard('in_flight', 'Proposed here and not yet chosen.', ({ inFlight }) => inFlight),
    perShard('groups', 'Groups in the shard.', ({ groups }) => groups),
    perShard('members', 'Members of groups in the shard.', ({ members }) => members),
    perShard('offsets', 'Committed offsets in the shard.', ({ offsets }) => offsets),
    {
      name: 'quorate_group_lag',
      help: 'Offsets between what a group has committed and the ends, all partitions of a topic together.',
      type: 'gauge',
      samples: lags.map(({ group, topic, lag }) => ({ labels: { group, topic }, value: lag })),
    },
    {
      name: 'quorate_group_lag_left_out',
      help: 'Groups without quorate_group_lag: there are too many offsets.',
      type: 'gauge',
      samples: [{ value: leftOut }],
    },
    {
      name: 'quorate_broker',
      help: 'Counters and gauges of the Kafka listener.',
      type: 'gauge',
      samples: Object.entries(source.brokerCounters()).map(([what, value]) => ({ labels: { what }, value })),
    },
  ];
  return metrics.map(text).join('');
}

const escaped = (label: string): string =>
  label.replace(/[\\"\n]/g, (odd) => (odd === '\n' ? '\\n' : `\\${odd}`));

function text({ name, help, type, samples }: Metric): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escaped(String(label))}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
