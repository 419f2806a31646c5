import type { History } from '../history.js';

/** A message of a kind that came with a feature level goes to replicas of that level only. */
export function noVersionIsSentWhatItCannotRead({ unreadable }: History): string | undefined {
  const found = unreadable[0];
  return found === undefined
    ? undefined
    : `at ${found.at} ms replica ${found.to}, which knows feature level ${found.knows}, gets a message of level ${found.level} from replica ${found.from}`;
}
