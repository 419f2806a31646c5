import type { History } from '../history.js';

/** A power failure is no damage: a disk that has kept what it called durable is never found corrupt, and keeps its vote. */
export function onlyDamageIsDamage({ opened, unfit }: History): string | undefined {
  const found = opened.find(({ condition, damaged }) => condition === 'corrupt' && !damaged);
  if (found !== undefined)
    return `the disk of replica ${found.replica} was found corrupt, and nothing had happened to it`;
  return unfit.length === 0
    ? undefined
    : `replica ${unfit.join(', ')} does not vote, and nothing has happened to its disk`;
}
