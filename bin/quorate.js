#!/usr/bin/env node
// The `quorate` command. The package carries `dist`; a checkout has none right after `npm ci`, so it is built here once.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/bin.js', import.meta.url);
if (!existsSync(built)) build();
await import(built.href);

function build() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  let nest;
  try {
    nest = createRequire(import.meta.url).resolve('@nestjs/cli/bin/nest.js');
  } catch {
    process.stderr.write('quorate: nothing is built yet. Run `npm ci` in this checkout first.\n');
    process.exit(2);
  }
  process.stderr.write('quorate: building once ...\n');
  // Output goes to stderr: stdout belongs to the command, which may print JSON.
  const { status } = spawnSync(process.execPath, [nest, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
