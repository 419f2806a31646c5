import type { History } from '../history.js';

/** What a replica refused, and called not done, is never found. */
export function whatWasRefusedIsNotDone({ reads, refused }: History): string | undefined {
  const read = reads.find(({ group, found }) => refused.has(`${group} ${found}`));
  return read === undefined
    ? undefined
    : `the commit of offset ${read.found} by ${read.group} was refused as not done, and a read finds it`;
}
