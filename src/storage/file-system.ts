import * as fs from 'node:fs';

/** The part of node:fs that makes data durable. Tests replace it to inject failures. */
export interface FileSystem {
  write(file: number, bytes: Buffer, position: number, done: (error: Error | null) => void): void;
  datasync(file: number, done: (error: Error | null) => void): void;
}

export const nodeFileSystem: FileSystem = {
  write(file, bytes, position, done) {
    // The system may write fewer bytes than asked (a signal, a full disk). Then the rest is written, or fails with an error.
    fs.write(file, bytes, 0, bytes.length, position, (error, written) => {
      if (error !== null || written === bytes.length) return done(error);
      nodeFileSystem.write(file, bytes.subarray(written), position + written, done);
    });
  },
  datasync: (file, done) => fs.fdatasync(file, done),
};

/** Makes a change of a directory's entries (create, rename, remove) durable. */
export function syncDirectory(path: string): void {
  const directory = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

/** Writes a whole file so that after a crash either the old or the new one is there. */
export function replaceFile(directory: string, name: string, chunks: Iterable<Uint8Array>): void {
  const path = `${directory}/${name}`;
  const temporary = `${path}.tmp`;
  const file = fs.openSync(temporary, 'w');
  try {
    for (const chunk of chunks) fs.writeSync(file, chunk);
    fs.fdatasyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(temporary, path);
  syncDirectory(directory);
}
