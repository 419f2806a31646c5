import type { History } from '../history.js';

/** A process ends by itself, or refuses to start, only when its disk has failed or was damaged. */
export function noReplicaEndsWithoutACause({ endings }: History): string | undefined {
  const ending = endings.find(({ explained }) => !explained);
  return ending === undefined ? undefined : `replica ${ending.replica} ended: ${ending.reason}`;
}
