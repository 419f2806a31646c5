import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { flagsOf, runSeed, tell } from './campaign.js';
import type { Asked } from './setup.js';

/** Which seeds a worker runs: every `step`th from `first`, until `end` or until the time is up. */
export interface Share {
  readonly first: number;
  readonly step: number;
  readonly end: number;
  readonly untilMs: number;
  readonly twice: boolean;
  readonly asked: Asked;
}

/** What a worker tells of each seed. */
interface Told {
  readonly seed: number;
  readonly operations: number;
  readonly goals: readonly string[];
  readonly violation: string | undefined;
  /** What the process has used so far, user and system. Seconds. */
  readonly cpuSeconds: number;
}

/** What a campaign came to. */
export interface Campaign {
  readonly seeds: number;
  readonly operations: number;
  readonly violations: number;
  readonly reached: ReadonlySet<string>;
  /** Workers that ended before their share was done. */
  readonly crashed: number;
  readonly seconds: number;
  /** Of all processes: it says less of what else the machine does than `seconds`. */
  readonly cpuSeconds: number;
}

export interface CampaignOptions {
  readonly first: number;
  readonly end: number;
  readonly untilMs: number;
  /** Ends at the first violation. */
  readonly stop: boolean;
  /** Every seed runs twice, and must leave the same trace. */
  readonly twice: boolean;
  readonly asked: Asked;
  readonly workers?: number | undefined;
}

/**
 * Worlds are short, and a worker has one core: collecting garbage in one thread out of a large nursery, and machine code
 * before a function is hot, take a third less CPU.
 */
export const WORKER_FLAGS = [
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
  '--single-threaded-gc',
  '--always-sparkplug',
];
const PROGRESS_EVERY_MS = 250;

/** Runs seeds on all cores, a process for each, and tells violations as they come. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { first, end, untilMs, twice, asked } = options;
  const workers = options.workers ?? availableParallelism();
  const startedAt = Date.now();
  const reached = new Set<string>();
  const children: ChildProcess[] = [];
  let [seeds, operations, violations, crashed] = [0, 0, 0, 0];
  const seconds = (): number => (Date.now() - startedAt) / 1_000;
  const progress = showProgress(
    () => [seeds / (end - first), (Date.now() - startedAt) / (untilMs - startedAt)],
    () => `${seeds} seeds, ${(seeds / seconds()).toFixed(1)} a second, ${violations} violations`,
  );
  const cpu = new Map<ChildProcess, number>();
  const hear = (child: ChildProcess, told: Told): void => {
    seeds++;
    cpu.set(child, told.cpuSeconds);
    operations += told.operations;
    for (const goal of told.goals) reached.add(goal);
    if (told.violation === undefined) return;
    violations++;
    console.error(told.violation);
    if (options.stop) for (const each of children) each.kill();
  };
  await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const share: Share = { first: first + index, step: workers, end, untilMs, twice, asked };
      const child = fork(process.argv[1]!, ['--worker', JSON.stringify(share)], {
        execArgv: [...process.execArgv, ...WORKER_FLAGS],
      });
      children.push(child);
      child.on('message', (told: Told) => hear(child, told));
      const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
      if (code !== 0 && !options.stop) crashed++;
    }),
  );
  progress.end();
  const cpuSeconds = [...cpu.values()].reduce((sum, each) => sum + each, 0);
  return { seeds, operations, violations, reached, crashed, seconds: seconds(), cpuSeconds };
}

/** The work of one process of a campaign. */
export async function runShare({ first, step, end, untilMs, twice, asked }: Share): Promise<void> {
  for (let seed = first; seed < end && Date.now() < untilMs; seed += step) {
    const verdict = await runSeed(seed, asked);
    const again = twice ? await runSeed(seed, asked) : verdict;
    const differs =
      again.hash === verdict.hash
        ? undefined
        : `seed ${seed} breaks the-same-seed-is-the-same-run: trace hashes ${verdict.hash} and ${again.hash}`;
    const violation = verdict.violation === undefined ? differs : tell(verdict, flagsOf(asked));
    const { user, system } = process.cpuUsage();
    const told: Told = {
      ...{ seed, operations: verdict.operations, goals: [...verdict.goals.keys()], violation },
      cpuSeconds: (user + system) / 1e6,
    };
    process.send!(told);
  }
  process.disconnect();
}

/** A bar on a terminal; nothing elsewhere. The bar follows whichever share is further. */
function showProgress(shares: () => readonly number[], text: () => string): { end: () => void } {
  if (!process.stderr.isTTY) return { end: () => undefined };
  const show = (): void => {
    const share = Math.min(1, Math.max(...shares().filter(Number.isFinite)));
    const bar = '='.repeat(Math.round(share * 30)).padEnd(30);
    process.stderr.write(`\r[${bar}] ${text()} `);
  };
  const timer = setInterval(show, PROGRESS_EVERY_MS);
  return {
    end: () => {
      clearInterval(timer);
      show();
      process.stderr.write('\n');
    },
  };
}
