import type { History } from '../history.js';

/** What a replica refused, and called not done, no replica applies, and no read finds. */
export function whatWasRefusedIsNotDone({ reads, refused, applied }: History): string | undefined {
  for (const commit of refused)
    if (applied.has(commit))
      return `the commit ${commit} was refused as not done, and a replica has applied it`;
  const read = reads.find(({ group, found }) => refused.has(`${group} ${found}`));
  return read === undefined
    ? undefined
    : `the commit of offset ${read.found} by ${read.group} was refused as not done, and a read finds it`;
}
