import { readTree, RULES } from './index.js';

/** `npm run house`: prints what breaks a rule of the house. Exit code 1 when something does. */
const tree = readTree(process.cwd());
for (const [rule, check] of Object.entries(RULES)) {
  const findings = check(tree);
  console.log(`${rule}: ${String(findings.length)}`);
  for (const { file, line, says } of findings) console.log(`  ${file}:${String(line)}  ${says}`);
  if (findings.length > 0) process.exitCode = 1;
}
