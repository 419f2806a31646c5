import { type Drawing, Recorder } from './recorder.js';
import { type Asked, drawSetup, type Setup } from './setup.js';
import { type Verdict, World } from './world.js';

/** Runs the world that a seed draws. `onLine` gets every line of its trace. */
export function runSeed(seed: number, asked: Asked = {}, onLine?: (line: string) => void): Promise<Verdict> {
  return runSetup(drawSetup(seed, asked), onLine);
}

/** Runs a world, and gives what a diagram of it shows. */
export async function drawWorld(setup: Setup): Promise<Drawing> {
  const world = new World(setup);
  const recorder = new Recorder(() => world.time.now);
  world.trace.recorder = recorder;
  const { seed, violation } = await judged(world);
  const broken = violation === undefined ? undefined : `${violation.invariant}: ${violation.detail}`;
  const ids = world.stations.map(({ id }) => id);
  return recorder.drawing(`seed ${seed}`, ids, setup.shards, broken);
}

/** Runs a world. */
export function runSetup(setup: Setup, onLine?: (line: string) => void): Promise<Verdict> {
  const world = new World(setup);
  world.trace.onLine = onLine;
  return judged(world);
}

/** A throw that nobody caught counts as a violation. */
async function judged(world: World): Promise<Verdict> {
  let leaked: unknown;
  const leak = (error: unknown): void => {
    leaked ??= error;
  };
  process.on('unhandledRejection', leak);
  try {
    const verdict = await world.run();
    if (leaked === undefined || verdict.violation !== undefined) return verdict;
    const detail = leaked instanceof Error ? (leaked.stack ?? leaked.message) : JSON.stringify(leaked);
    return { ...verdict, violation: { invariant: 'no-error-without-an-owner', detail } };
  } finally {
    process.off('unhandledRejection', leak);
  }
}

/** What draws the same world again, on the command line. */
export const flagsOf = ({ reference, changes, only }: Asked): string =>
  [
    reference === true ? ' --reference' : '',
    changes === true ? ' --changes' : '',
    only === undefined ? '' : ` --only ${only.join(',')}`,
  ].join('');

/** What is told of a world that broke an invariant. */
export function tell(verdict: Verdict, replay = ''): string {
  const { seed, violation, last } = verdict;
  if (violation === undefined) return `seed ${seed}: nothing broken`;
  return [
    ...last.map((line) => `  ${line}`),
    `seed ${seed} breaks ${violation.invariant}: ${violation.detail}`,
    `replay: npm run simulate -- --seed ${seed}${replay} --trace`,
  ].join('\n');
}
