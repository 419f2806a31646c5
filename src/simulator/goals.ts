/** What a campaign must reach at least once: otherwise it proves less than it says. */
const GOALS: readonly string[] = [
  'a crash lost sectors',
  'died before a write',
  'died before a sync',
  'died before a synced',
  'died before a send',
  'a machine fell silent',
  'a disk was full',
  'a disk failed',
  'a disk was slow',
  'a disk hung',
  'a replica noticed that its disk hung',
  'a disk was wiped',
  'a disk rotted',
  'a log was zeroed',
  'a corrupt log was set aside',
  'a disk was copied',
  'an older copy of a disk was restored',
  'a disk failed once',
  'a majority moved',
  'what a majority knew was forgotten by one of it',
  'a port was taken',
  'a process was back at once',
  'a start did not end',
  'two were cut from each other',
  'only one heard all',
  'messages took long',
  'the power of all failed',
  'one direction was cut',
  'isolated',
  'stopped',
  'a wall clock jumped',
  'links became slow',
  'a replica ended by itself',
  'promises were compared after a restart',
  'a generation was formed',
  'a member fell silent',
  'a commit of an old generation was refused',
  'a token was granted',
  'a write with an old token was refused',
];
/** A handful of seeds proves nothing about goals: fewer than this are not asked. */
const GOALS_FROM_SEEDS = 200;

/** The goals that a campaign of so many seeds should have reached, and did not. */
export function missedGoals(reached: ReadonlySet<string>, seeds: number): readonly string[] {
  return seeds < GOALS_FROM_SEEDS ? [] : GOALS.filter((goal) => !reached.has(goal));
}
