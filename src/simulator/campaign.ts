import { type Verdict, World } from './world.js';

/** Runs one seed. `onLine` gets every line of its trace. A throw that nobody caught counts as a violation. */
export async function runSeed(seed: number, onLine?: (line: string) => void): Promise<Verdict> {
  const world = new World(seed);
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

/** What a campaign must reach at least once: otherwise it proves less than it says. */
export const GOALS: readonly string[] = [
  'a crash lost sectors',
  'died before a write',
  'died before a sync',
  'died before a synced',
  'died before a send',
  'a machine fell silent',
  'a disk was full',
  'a disk failed',
  'a disk was slow',
  'a disk was wiped',
  'a disk rotted',
  'the power of all failed',
  'one direction was cut',
  'isolated',
  'stopped',
  'a wall clock jumped',
  'links became slow',
  'a replica ended by itself',
  'a generation was formed',
  'a token was granted',
  'a write with an old token was refused',
];

/** What is told of a seed that broke an invariant. */
export function tell(verdict: Verdict): string {
  const { seed, violation, last } = verdict;
  if (violation === undefined) return `seed ${seed}: nothing broken`;
  return [
    ...last.map((line) => `  ${line}`),
    `seed ${seed} breaks ${violation.invariant}: ${violation.detail}`,
    `replay: npm run simulate -- --seed ${seed} --trace`,
  ].join('\n');
}
