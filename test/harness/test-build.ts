import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './cluster.js';

/** A text of a built file, and what stands there in the test build. */
export interface BuildPatch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A copy of what is built here, with a version of its own and some of it otherwise. */
export class TestBuild {
  readonly #directory: string;

  constructor(version: string, patches: readonly BuildPatch[]) {
    this.#directory = mkdtempSync(join(tmpdir(), 'quorate-build-'));
    cpSync(join(ROOT, 'dist'), join(this.#directory, 'dist'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'));
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as object;
    writeFileSync(join(this.#directory, 'package.json'), JSON.stringify({ ...manifest, version }));
    for (const { file, from, to } of patches) {
      const path = join(this.#directory, 'dist', file);
      const now = readFileSync(path, 'utf8');
      if (!now.includes(from)) throw new Error(`dist/${file} does not contain ${from}`);
      writeFileSync(path, now.replace(from, to));
    }
  }

  get program(): string {
    return join(this.#directory, 'dist/bin.js');
  }
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
