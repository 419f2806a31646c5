import type { History } from '../history.js';

/** No command is sent to be accepted before all replicas run a version that can apply it, at one moment: until then each may be rolled back. */
export function newCommandsWaitForAll({ tooNew }: History): string | undefined {
  const found = tooNew[0];
  return found === undefined
    ? undefined
    : `at ${found.at} ms replica ${found.replica} proposes a command of feature level ${found.level}, and replica ${found.oldest} does not have it, or not all had it at one moment`;
}
