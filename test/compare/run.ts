import { parseArgs } from 'node:util';
import { type ApiName, APIS } from '../../src/wire/index.js';
import { Cluster } from '../harness/cluster.js';
import { parseAddress } from '../harness/connection.js';
import { compare, type Found, type Verdict } from './compare.js';
import { generate, type Versions } from './generate.js';
import { play } from './play.js';
import { record } from './recording.js';
import type { Sequence, StepOutcome } from './sequence.js';
import { COMPARABLE_SETTINGS } from './settings.js';
import { Target } from './target.js';

/**
 * `npm run compare -- --peer HOST:PORT [--quorate HOST:PORT] [--seed S] [--sequences N] [--record FILE] [--show]`: sends
 * sequences of group requests to a Kafka and to Quorate, and compares the answers. See docs/differences.md.
 */
const { values } = parseArgs({
  options: {
    peer: { type: 'string' },
    quorate: { type: 'string' },
    seed: { type: 'string', default: '1' },
    sequences: { type: 'string', default: '100' },
    record: { type: 'string' },
    show: { type: 'boolean', default: false },
    parallel: { type: 'string', default: '12' },
  },
});
if (values.peer === undefined) {
  console.error(
    'npm run compare -- --peer HOST:PORT [--quorate HOST:PORT] [--seed S] [--sequences N] [--record FILE] [--show]',
  );
  process.exit(2);
}
/** A difference counts when it comes again: a server that was too slow for a session of 1.5 s is no difference. */
const ATTEMPTS = 3;
/** With each attempt answers get so much more time before they count as not given yet. */
const GIVE_UP_AFTER_MS = 50;

const cluster =
  values.quorate === undefined ? await Cluster.start({ replicas: 1, settings: COMPARABLE_SETTINGS }) : null;
const [kafka, quorate] = await Promise.all([
  Target.prepare(parseAddress(values.peer)),
  Target.prepare(cluster === null ? parseAddress(values.quorate!) : cluster.replica(1).kafka),
]);
const versions: Versions = Object.fromEntries(
  Object.values(APIS).flatMap(
    ({ name, key, minVersion, maxVersion }): [ApiName, readonly [number, number]][] => {
      const theirs = kafka.versions.get(key);
      if (theirs === undefined) return [];
      return [[name, [Math.max(minVersion, theirs.minVersion), Math.min(maxVersion, theirs.maxVersion)]]];
    },
  ),
);

interface Result {
  readonly sequence: Sequence;
  readonly kafka: readonly StepOutcome[];
  readonly verdict: Verdict;
  readonly attempts: number;
}

async function attempt(sequence: Sequence, attempts = 1): Promise<Result> {
  const patienceMs = (attempts - 1) * GIVE_UP_AFTER_MS;
  const [theirs, ours] = await Promise.all([
    play(sequence, kafka, patienceMs),
    play(sequence, quorate, patienceMs),
  ]);
  if (values.show) for (const [step, outcome] of theirs.entries()) show(sequence, step, outcome, ours[step]!);
  const verdict = compare(sequence, theirs, ours);
  return { sequence, kafka: theirs, verdict, attempts };
}
function show(sequence: Sequence, step: number, theirs: StepOutcome, ours: StepOutcome): void {
  console.log(`${step} ${JSON.stringify(sequence.steps[step])}`);
  console.log(`    Kafka   ${JSON.stringify(theirs)}\n    Quorate ${JSON.stringify(ours)}`);
}
function tell({ seed }: Sequence, found: Found): void {
  const { step, asked, api, version, path } = found;
  const cut = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 600);
  console.log(`seed ${seed}: ${api} v${version} of step ${asked}, seen in step ${step}: ${path}`);
  console.log(
    `    asked   ${cut(found.request)}\n    Kafka   ${cut(found.kafka)}\n    Quorate ${cut(found.quorate)}`,
  );
}

/** Alone, until both agree. */
async function again(suspect: Result): Promise<Result> {
  let last = suspect;
  while (last.verdict.unexplained.length > 0 && last.attempts < ATTEMPTS)
    last = await attempt(last.sequence, last.attempts + 1);
  return last;
}

const first = Number(values.seed);
const sequences = Number(values.sequences);
const results: Result[] = [];
const suspects: Result[] = [];
const explained = new Map<string, number>();
let next = first;
let [failed, unsteady, steps] = [0, 0, 0];
async function work(): Promise<void> {
  while (next < first + sequences) {
    const seed = next++;
    const result = await attempt(generate(seed, versions)).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    if (result.verdict.unexplained.length > 0) suspects.push(result);
    else count(result);
    if ((seed - first + 1) % 500 === 0) console.log(`${seed - first + 1} of ${sequences}`);
  }
}
function count(result: Result): void {
  const { verdict, sequence, attempts } = result;
  for (const id of verdict.explained) explained.set(id, (explained.get(id) ?? 0) + 1);
  for (const found of verdict.unexplained) tell(sequence, found);
  if (verdict.unexplained.length > 0) failed++;
  else if (attempts > 1) unsteady++;
  steps += verdict.steps;
  if (values.record !== undefined) results.push(result);
}
await Promise.all(Array.from({ length: Number(values.parallel) }, work));
for (const suspect of suspects) count(await again(suspect));
await cluster?.close();

if (values.record !== undefined) {
  results.sort((a, b) => a.sequence.seed - b.sequence.seed);
  const whole = results.filter(({ verdict, sequence }) => verdict.steps === sequence.steps.length);
  record(
    values.record,
    whole.filter(({ verdict }) => verdict.unexplained.length === 0),
  );
}
console.log(
  `${sequences} sequences from seed ${first}, ${steps} steps compared: ${failed} with an unexplained difference`,
);
console.log(`${unsteady} agreed only when they were sent again`);
for (const [id, times] of [...explained].sort(([, a], [, b]) => b - a))
  console.log(`on purpose: ${id}, in ${times}`);
process.exit(failed === 0 ? 0 : 1);
