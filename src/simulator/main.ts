import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawWorld, flagsOf, runSetup, tell } from './campaign.js';
import { runCampaign, runShare, type Share } from './crew.js';
import { diagramPage } from './diagram.js';
import { missedGoals } from './goals.js';
import { type Asked, drawSetup } from './setup.js';
import { shrink } from './shrink.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    trace: { type: 'boolean', default: false },
    /** Of one seed: only the faults at these places strike. */
    only: { type: 'string' },
    /** Of one seed: takes away what it does not need to fail. */
    shrink: { type: 'boolean', default: false },
    /** Of one seed: writes a space-time diagram into this file. */
    diagram: { type: 'string' },
    /** Ends the campaign at the first violation. */
    stop: { type: 'boolean', default: false },
    /** Runs every seed twice and compares the traces. */
    twice: { type: 'boolean', default: false },
    /** Worlds of 3 replicas, 8 shards, 30 s and about 200 operations. */
    reference: { type: 'boolean', default: false },
    /** Worlds in which an operator changes the replicas. */
    changes: { type: 'boolean', default: false },
    /** As many worlds of the reference as drawn ones: what each kind costs. */
    speed: { type: 'boolean', default: false },
    workers: { type: 'string' },
    worker: { type: 'string' },
  },
});

/** How many worlds of each kind are run to say what they cost. */
const SEEDS_OF_SPEED = 100;
/** How many seeds run when neither a number nor a time is given. */
const SEEDS = 200;

const asked: Asked = {
  reference: values.reference,
  changes: values.changes,
  only: values.only === undefined ? undefined : values.only.split(',').filter(Boolean).map(Number),
};
if (values.worker !== undefined) await runShare(JSON.parse(values.worker) as Share);
else if (values.seed !== undefined) await replay(Number(values.seed));
else process.exitCode = values.speed ? await speed() : await campaign(asked);

/** Runs one seed, twice, and says whether both runs were the same. */
async function replay(seed: number): Promise<void> {
  const setup = drawSetup(seed, asked);
  const verdict = await runSetup(setup, values.trace ? (line): void => console.info(line) : undefined);
  const again = await runSetup(setup);
  console.info(tell(verdict, flagsOf(asked)));
  console.info(`trace hash ${verdict.hash}, and ${again.hash} when run again`);
  if (values.diagram !== undefined) writeFileSync(values.diagram, diagramPage(await drawWorld(setup)));
  if (verdict.violation === undefined && verdict.hash === again.hash) return;
  process.exitCode = 1;
  if (!values.shrink || verdict.violation === undefined) return;
  const small = await shrink(setup, verdict);
  console.info(tell(small.verdict));
  const places = small.setup.faults.map((fault) => setup.faults.indexOf(fault));
  console.info(
    `${setup.faults.length} faults were drawn, ${places.length} are enough (${small.runs} runs): --only ${places.join(',') || '-1'}`,
  );
  console.info(`for the corpus: ${JSON.stringify(small.setup)}`);
}

async function speed(): Promise<number> {
  console.info('worlds of the reference:');
  const failed = await campaign({ reference: true }, SEEDS_OF_SPEED);
  console.info('worlds as the seeds draw them:');
  return (await campaign({}, SEEDS_OF_SPEED)) | failed;
}

async function campaign(of: Asked, seedsMeant = SEEDS): Promise<number> {
  const first = Number(values.first);
  const timed = values.minutes !== undefined;
  const { seeds, operations, violations, reached, crashed, seconds, cpuSeconds } = await runCampaign({
    first,
    end: first + Number(values.seeds ?? (timed ? Number.MAX_SAFE_INTEGER - first : seedsMeant)),
    untilMs: timed ? Date.now() + 60_000 * Number(values.minutes) : Number.MAX_SAFE_INTEGER,
    stop: values.stop,
    twice: values.twice,
    asked: of,
    workers: values.workers === undefined ? undefined : Number(values.workers),
  });
  console.info(
    `${seeds} seeds, ${operations} operations, ${violations} violations in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(1)} seeds/s, ${(cpuSeconds / seeds).toFixed(2)} s of CPU a seed)`,
  );
  const missed = missedGoals(reached, seeds);
  if (missed.length > 0) console.error(`never reached: ${missed.join(', ')}`);
  if (crashed > 0) console.error(`${crashed} workers ended early`);
  return violations > 0 || crashed > 0 || missed.length > 0 ? 1 : 0;
}
