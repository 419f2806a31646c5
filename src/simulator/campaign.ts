import { type Asked, drawSetup, type Setup } from './setup.js';
import { type Verdict, World } from './world.js';

/** Runs the world that a seed draws. `onLine` gets every line of its trace. */
export function runSeed(seed: number, asked: Asked = {}, onLine?: (line: string) => void): Promise<Verdict> {
  return runSetup(drawSetup(seed, asked), onLine);
}

/** Runs a world. A throw that nobody caught counts as a violation. */
export async function runSetup(setup: Setup, onLine?: (line: string) => void): Promise<Verdict> {
  const world = new World(setup);
  world.trace.onLine = onLine;
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
