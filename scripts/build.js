// Compiles src to dist with the Nest CLI, in a directory of its own that then takes the place of dist: neither replicas that
// run from dist nor a second build at the same time ever meet half of it.
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const name = `.build-${process.pid}`;
const made = `${root}${name}`;
const old = `${made}-old`;
const dist = `${root}dist`;

const nest = createRequire(import.meta.url).resolve('@nestjs/cli/bin/nest.js');
const config = `${made}.json`;
// The CLI takes a path from the working directory on.
writeFileSync(
  config,
  JSON.stringify({ extends: './tsconfig.build.json', compilerOptions: { outDir: made, rootDir: 'src' } }),
);
const { status } = spawnSync(
  process.execPath,
  [nest, 'build', '--path', `${name}.json`],
  // Its output goes to stderr: stdout belongs to the command that is built for, which may print JSON.
  { cwd: root, stdio: ['ignore', 2, 2] },
);
try {
  if (status === 0) replaceDist();
} finally {
  for (const path of [config, made, old]) rmSync(path, { recursive: true, force: true });
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
