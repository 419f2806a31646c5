import type { Metric } from './definition.js';
import { OF_BROKER } from './of-broker.js';
import { OF_REPLICA } from './of-replica.js';
import { OF_SHARDS } from './of-shards.js';

/** docs/metrics.md, from the tables of metrics. */
export function metricsPage(): string {
  return `# Metrics

<!-- Made from the tables in src/admin/metrics by \`npm run docs:metrics\`; a test fails when the two part. -->

\`GET /metrics\` answers in Prometheus' text format. Names never change; new ones are added. Counters (\`_total\`) and histograms begin with the
process. A histogram has \`_bucket\`, \`_sum\` and \`_count\`; all durations are in seconds, with buckets from 0.1 ms to a minute. Nothing
is written for a metric where things happen, but numbers that are there already: a scrape reads them.

[\`docker/prometheus\`](../docker/prometheus/quorate.rules.yaml) has alerts, each with [what to do](operations.md#alerts), and [\`docker/grafana\`](../docker/grafana/quorate.json) a dashboard to
import. Both expect that the replicas are scraped as job \`quorate\`.

## The replica

${table(OF_REPLICA)}

## Logs, groups and records

What a leader does is counted by the replica that leads: add the replicas up. [Lag](groups.md#ends-and-lag) is in offsets.

${table(OF_SHARDS)}

## The Kafka listener

${table(OF_BROKER)}
`;
}

function table(metrics: readonly Metric[]): string {
  const rows = metrics.map((metric) => {
    const help = metric.help.replaceAll(/quorate_[a-z_]+/g, (name) => `\`${name}\``);
    return `| \`${metric.name}\` | ${metric.kind} | ${metric.labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
  return `| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}`;
}
