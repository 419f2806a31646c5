import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { GOALS, runSeed, tell } from './campaign.js';

/** What a worker tells of each seed. */
interface Told {
  readonly seed: number;
  readonly operations: number;
  readonly goals: readonly string[];
  readonly violation: string | undefined;
}

/** A campaign of so many seeds must reach every goal. */
const GOALS_FROM_SEEDS = 200;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    trace: { type: 'boolean', default: false },
    /** Ends the campaign at the first violation. */
    stop: { type: 'boolean', default: false },
    worker: { type: 'string' },
  },
});

if (values.seed !== undefined) await replay(Number(values.seed));
else if (values.worker !== undefined) await work(values.worker);
else process.exitCode = await campaign();

/** Runs one seed, twice, and says whether both runs were the same. */
async function replay(seed: number): Promise<void> {
  const onLine = values.trace ? (line: string): void => console.info(line) : undefined;
  const verdict = await runSeed(seed, onLine);
  const again = await runSeed(seed);
  console.info(tell(verdict));
  console.info(`trace hash ${verdict.hash}, and ${again.hash} when run again`);
  if (verdict.violation !== undefined || verdict.hash !== again.hash) process.exitCode = 1;
}

/** Every `step`th seed from `first`, until `end` or until the time is up. */
async function work(range: string): Promise<void> {
  const [first, step, end, until] = range.split(',').map(Number) as [number, number, number, number];
  for (let seed = first; seed < end && Date.now() < until; seed += step) {
    const verdict = await runSeed(seed);
    const violation = verdict.violation === undefined ? undefined : tell(verdict);
    const told: Told = { seed, operations: verdict.operations, goals: [...verdict.goals.keys()], violation };
    process.send!(told);
  }
  process.disconnect();
}

async function campaign(): Promise<number> {
  const workers = availableParallelism();
  const first = Number(values.first);
  const startedAt = Date.now();
  const until =
    values.minutes === undefined ? Number.MAX_SAFE_INTEGER : startedAt + 60_000 * Number(values.minutes);
  const end = values.minutes === undefined ? first + Number(values.seeds) : Number.MAX_SAFE_INTEGER;
  const reached = new Set<string>();
  const children: ChildProcess[] = [];
  let [seeds, operations, violations, crashed] = [0, 0, 0, 0];
  await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const child = fork(process.argv[1]!, ['--worker', [first + index, workers, end, until].join(',')]);
      children.push(child);
      child.on('message', (told: Told) => {
        seeds++;
        operations += told.operations;
        for (const goal of told.goals) reached.add(goal);
        if (told.violation !== undefined) {
          violations++;
          console.error(told.violation);
          if (values.stop) for (const each of children) each.kill();
        }
        if (process.stderr.isTTY) process.stderr.write(`\r${seeds} seeds, ${violations} violations `);
      });
      return new Promise<void>((resolve) => {
        child.on('exit', (code) => {
          if (code !== 0 && !values.stop) crashed++;
          resolve();
        });
      });
    }),
  );
  const seconds = (Date.now() - startedAt) / 1_000;
  console.info(
    `${seeds} seeds, ${operations} operations, ${violations} violations in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(1)} seeds/s)`,
  );
  // A handful of seeds proves nothing about goals.
  const missed = seeds < GOALS_FROM_SEEDS ? [] : GOALS.filter((goal) => !reached.has(goal));
  if (missed.length > 0) console.error(`never reached: ${missed.join(', ')}`);
  if (crashed > 0) console.error(`${crashed} of ${workers} workers ended early`);
  return violations > 0 || crashed > 0 || missed.length > 0 ? 1 : 0;
}
