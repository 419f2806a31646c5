import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own, in memory, of a few MiB: something real that can be full. */
export class SmallDisk {
  readonly directory: string;
  readonly #filler: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.#filler = join(directory, 'filler');
  }

  /** Over an empty directory. Undefined where this process may not mount. */
  static mount(directory: string, mebibytes: number): SmallDisk | undefined {
    const { status } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${mebibytes}m`,
      'quorate-test',
      directory,
    ]);
    return status === 0 ? new SmallDisk(directory) : undefined;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }
  /** Until `leaving` bytes are left, in whole pages. */
  fill(leaving: number): void {
    writeFileSync(this.#filler, Buffer.alloc(Math.max(0, this.freeBytes - leaving)), { flag: 'a' });
  }
  makeRoom(): void {
    rmSync(this.#filler, { force: true });
  }
  unmount(): void {
    spawnSync('umount', ['-l', this.directory]);
  }
}
