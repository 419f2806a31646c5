import type { Cluster } from '../../test/harness/cluster.js';
import type { Report } from '../report.js';

/** What no code of Quorate can help: the collector, and a process that does not get CPU. */
const NOT_OURS: ReadonlySet<string> = new Set(['gc', 'machine']);

/** How often work of each kind has held the loop of a replica for more than 20 ms, all replicas together, since they started. */
export async function reportHeld(cluster: Cluster, report: Report, when: string): Promise<void> {
  const above = new Map<string, number>();
  for (const { http } of cluster.replicas) {
    const text = await (await fetch(`${http}/metrics`)).text();
    for (const [cause, count] of aboveIn(text)) above.set(cause, (above.get(cause) ?? 0) + count);
  }
  const ours = [...above].filter(([cause]) => !NOT_OURS.has(cause));
  const sum = (counts: readonly (readonly [string, number])[]): number =>
    counts.reduce((total, [, count]) => total + count, 0);
  const of = (counts: readonly (readonly [string, number])[]): string =>
    counts
      .filter(([, count]) => count > 0)
      .map(([cause, count]) => `${cause} ${count}`)
      .join(', ');
  report.add({
    name: `${when}: pieces of work that held a loop for more than 20 ms${sum(ours) === 0 ? '' : ` (${of(ours)})`}`,
    ...{ value: sum(ours), unit: 'times', target: { kind: 'at most', value: 0 } },
  });
  const others = [...above].filter(([cause]) => NOT_OURS.has(cause));
  report.add({
    name: `${when}: the same by the collector and by the machine (${of(others) || 'none'})`,
    ...{ value: sum(others), unit: 'times' },
  });
}

/** By cause: those observed less those that were at most 20 ms. */
function aboveIn(metrics: string): ReadonlyMap<string, number> {
  const above = new Map<string, number>();
  const buckets = /^quorate_loop_held_seconds_bucket\{cause="([^"]+)",le="(0\.02|\+Inf)"\} (\d+)$/gm;
  for (const [, cause = '', le, count] of metrics.matchAll(buckets))
    above.set(cause, (above.get(cause) ?? 0) + (le === '0.02' ? -Number(count) : Number(count)));
  return above;
}
