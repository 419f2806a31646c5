import type { History } from '../history.js';

/** A disk that has lost its log has another incarnation from then on: its peers must not take it for what it was. */
export function aDiskThatForgotIsAnotherDisk({ opened }: History): string | undefined {
  const found = opened.find(({ condition, known }) => condition !== 'intact' && known);
  return found === undefined
    ? undefined
    : `the disk of replica ${found.replica} was found ${found.condition}, and still is ${found.incarnation}`;
}
