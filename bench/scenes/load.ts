import { join } from 'node:path';
import { Child } from '../../test/harness/child.js';
import { Cluster, type ClusterOptions, ROOT } from '../../test/harness/cluster.js';
import { sleep } from '../../test/harness/waiting.js';
import type { LoadJob, LoadResult } from '../load.js';
import type { PeerOptions } from '../peer-options.js';
import type { Machine } from '../machine.js';
import type { Report } from '../report.js';

export interface SceneContext {
  readonly report: Report;
  readonly machine: Machine;
  /** Another system to measure beside, where one was named. */
  readonly peer: PeerOptions | undefined;
  readonly steady: SteadyOptions;
}

export interface SteadyOptions {
  readonly minutes: number;
  readonly idleGroups: number;
}

export interface Measured extends LoadResult {
  readonly perSecond: number;
  /** Of all replicas together, for each answer. */
  readonly serverMicros: number;
  /** Bytes that the replicas caused to be written to the disk while it was measured. */
  readonly diskBytes: number;
}

const SETTLE_MS = 2_000;

/** Three replicas, each the leader of its own shards: in the first second some shards still move to their preferred leader. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.start(options);
  await sleep(SETTLE_MS);
  return cluster;
}

export const TYPESCRIPT = ['--import', join(ROOT, 'test/harness/typescript.js')];
const LINES_BEFORE_RESULT = ['measuring', 'measured'];

/** What the processes under load have used so far, all together. */
export interface Meters {
  cpuMicros(): number;
  diskBytes(): number;
}

export const metersOf = ({ replicas }: Cluster): Meters => ({
  cpuMicros: () => replicas.reduce((sum, { child }) => sum + child.cpuMicros(), 0),
  diskBytes: () => replicas.reduce((sum, { child }) => sum + child.diskBytesWritten(), 0),
});

export type Job = Omit<LoadJob, 'warmUpMs' | 'measureMs'> & Partial<Pick<LoadJob, 'warmUpMs' | 'measureMs'>>;

export const load = (cluster: Cluster, job: Job): Promise<Measured> => loadOn(metersOf(cluster), job);

/** Runs the load generator in a process of its own, and reads the meters at both ends of its measurement. */
export async function loadOn(meters: Meters, job: Job, errorsMatter = true): Promise<Measured> {
  const full: LoadJob = { warmUpMs: 1_500, measureMs: 4_000, ...job };
  const cpu = (): number => meters.cpuMicros();
  const disk = (): number => meters.diskBytes();
  let from = { cpu: 0, disk: 0 };
  let to = { cpu: 0, disk: 0 };
  const generator = new Child('load generator', process.execPath, [
    ...TYPESCRIPT,
    join(ROOT, 'bench/load.ts'),
    JSON.stringify(full),
  ]);
  generator.onLine((line) => {
    if (line === 'measuring') from = { cpu: cpu(), disk: disk() };
    if (line === 'measured') to = { cpu: cpu(), disk: disk() };
  });
  const code = await generator.exited;
  const result = generator.lines.filter((line) => !LINES_BEFORE_RESULT.includes(line)).join('\n');
  if (code !== 0) throw new Error(`the load generator ended with ${code}: ${result}`);
  const measured = JSON.parse(result) as LoadResult;
  if (measured.errors > 0 && errorsMatter)
    throw new Error(
      `${measured.errors} answers were errors: a leader has changed, say because other programs keep this machine busy. Measure again on a quiet one.`,
    );
  return {
    ...measured,
    perSecond: measured.answers / measured.seconds,
    serverMicros: (to.cpu - from.cpu) / measured.answers,
    diskBytes: to.disk - from.disk,
  };
}
