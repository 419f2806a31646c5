import type { History } from '../history.js';

/** What a member begins in a generation is refused once somebody was told a newer one. */
export function zombiesAreRefused({ told, acts }: History): string | undefined {
  for (const { what, group, member, generation, startedAt } of acts) {
    const newer = told.find(
      (item) => item.group === group && item.generation > generation && item.at < startedAt,
    );
    if (newer !== undefined)
      return `a ${what} of ${member} in generation ${generation} of ${group} was taken, started at ${startedAt} ms; ${newer.member} knew generation ${newer.generation} at ${newer.at} ms`;
  }
  return undefined;
}
