import type { Log } from '../../src/kernel/index.js';

/** A log that hands each line to `take`, with its level. */
export function logTo(take: (level: keyof Log, message: string) => void): Log {
  const at =
    (level: keyof Log) =>
    (message: string): void =>
      take(level, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
