#!/usr/bin/env node
// The `quorate` command. The package carries `dist`; a checkout has none right after `npm ci`, so it is built here once.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/bin.js', import.meta.url);
if (!existsSync(built)) build();
await import(built.href);

function build() {
  const script = fileURLToPath(new URL('../scripts/build.js', import.meta.url));
  if (!existsSync(new URL('../node_modules/typescript', import.meta.url))) {
    process.stderr.write('quorate: nothing is built yet. Run `npm ci` in this checkout first.\n');
    process.exit(2);
  }
  process.stderr.write('quorate: building once ...\n');
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
