import { type FileSystem, writeFully } from './file-system.js';
import { SECTOR_BYTES } from './format.js';

/** In a row, without a whole sector more. */
const VAIN_WRITES_MAX = 8;

/**
 * Writes a group over zeros, into a file that writes through. When the system takes only a part of it, what is left of its last
 * sector is made blank before the write goes on from there: so a power failure leaves each sector as it was meant to be, or blank, and
 * a start can tell a group that was torn from one that was damaged.
 */
export function writeWholeSectors(
  fileSystem: FileSystem,
  file: number,
  bytes: Uint8Array,
  position: number,
  done: (error: Error | null) => void,
): void {
  attempt(bytes, position, 1);

  function attempt(left: Uint8Array, at: number, tries: number): void {
    fileSystem.write(file, left, at, (error, written) => {
      if (error !== null || written === left.length) return done(error);
      const whole = Math.max(0, wholeSectors(at + written) - at);
      if (whole === 0 && tries === VAIN_WRITES_MAX)
        return done(
          new Error(`of ${left.length} bytes the system took ${written} in each of ${tries} writes`),
        );
      writeFully(fileSystem, file, new Uint8Array(written - whole), at + whole, (failure) => {
        if (failure !== null) done(failure);
        else attempt(left.subarray(whole), at + whole, whole === 0 ? tries + 1 : 1);
      });
    });
  }
}

const wholeSectors = (end: number): number => Math.floor(end / SECTOR_BYTES) * SECTOR_BYTES;
