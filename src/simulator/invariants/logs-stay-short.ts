import type { History } from '../history.js';

/** A log is cut when it has grown past its threshold: it never becomes several times as long. */
export function logsStayShort({ logs }: History): string | undefined {
  for (const { replica, bytes, bytesMax } of logs.values())
    if (bytes > bytesMax)
      return `the log of replica ${replica} came to ${bytes} bytes; ${bytesMax} are the most`;
  return undefined;
}
