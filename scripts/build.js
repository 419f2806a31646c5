// Compiles src to dist, in a directory of its own that then takes the place of dist: neither replicas that run from dist nor
// a second build at the same time ever meet half of it.
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const made = `${root}.build-${process.pid}`;
const old = `${made}-old`;
const dist = `${root}dist`;

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(
  process.execPath,
  [tsc, '-p', 'tsconfig.build.json', '--outDir', made],
  // Its output goes to stderr: stdout belongs to the command that is built for, which may print JSON.
  { cwd: root, stdio: ['ignore', 2, 2] },
);
try {
  if (status === 0) replaceDist();
} finally {
  for (const directory of [made, old]) rmSync(directory, { recursive: true, force: true });
}
process.exitCode = status ?? 1;

function replaceDist() {
  for (let attempt = 0; ; attempt++) {
    try {
      renameSync(dist, old);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    try {
      return renameSync(made, dist);
    } catch (error) {
      // Another build was faster: its dist makes way as well.
      if (!['ENOTEMPTY', 'EEXIST'].includes(error.code) || attempt === 10) throw error;
      rmSync(old, { recursive: true, force: true });
    }
  }
}
