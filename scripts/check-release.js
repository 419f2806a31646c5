// npm run release: checks what a release needs. It publishes nothing.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const missing = [];

if (!new RegExp(`^## ${version.replaceAll('.', '\\.')}\\b`, 'm').test(readFileSync('CHANGELOG.md', 'utf8'))) {
  missing.push(`CHANGELOG.md has no section "## ${version}".`);
}

const recorded = existsSync('test/recorded') ? readdirSync('test/recorded', { recursive: true }) : [];
if (!recorded.some((name) => name.split('/').some((part) => part === version || part === `v${version}`))) {
  missing.push(`test/recorded holds no formats of ${version}: record them before the release.`);
}

const [{ files }] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' }),
);
const packed = new Set(files.map(({ path }) => path));
const needed = ['dist/index.js', 'dist/bin.js', 'README.md', 'LICENSE', 'CHANGELOG.md'];
for (const path of [...needed, 'docs/README.md', 'docs/settings.md', 'examples/worker.js']) {
  if (!packed.has(path)) missing.push(`The package lacks ${path}.`);
}
for (const path of packed) {
  if (/^(src|test|bench|scripts|data)\//.test(path)) missing.push(`The package must not hold ${path}.`);
}

for (const line of missing) console.error(line);
if (missing.length > 0) process.exitCode = 1;
else console.log(`${version} may be released: run \`npm publish\` by hand.`);
