import type { History } from '../history.js';

/** What a disk called durable is there at the next start, or the start says that it is not. */
export function whatIsDurableIsFound({ opened }: History): string | undefined {
  const found = opened.find(
    ({ condition, reached, position }) => condition === 'intact' && position < reached,
  );
  return found === undefined
    ? undefined
    : `the log of replica ${found.replica} had come to record ${found.reached}; a start took it for whole at ${found.position}`;
}
