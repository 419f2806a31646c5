import { type Log, MalformedBytesError } from '../kernel/index.js';

/**
 * What `decode` gives; undefined, with a warning, when the bytes cannot be read. Only decoding may fail softly: whatever
 * throws later has already changed state.
 */
export function softly<T>(log: Log, what: string, decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    log.warn(`${what} cannot be read (another version?): ${error.message}`);
    return undefined;
  }
}
