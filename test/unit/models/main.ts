import { GroupModel } from './group-model.js';
import { PaxosModel } from './paxos-model.js';
import { GROUP_DEPTH, GROUP_SIZES, PAXOS_SIZES } from './sizes.js';

/** `npm run models -- [DEPTH] [WORD]`: searches the models; those of groups to this depth; only those whose name has the word. */
const [depthText = String(GROUP_DEPTH), word = ''] = process.argv.slice(2);
const depth = Number(depthText);
if (!Number.isInteger(depth) || depth < 1)
  throw new RangeError(`the depth is a number of steps, not "${depthText}"`);

interface Report {
  readonly states: number;
  readonly transitions: number;
  readonly complete: boolean;
  readonly violation: { readonly says: string; readonly trace: readonly string[] } | undefined;
}

let total = 0;
let failed = false;

function search(name: string, explore: () => Report): void {
  if (!name.includes(word)) return;
  const startedAt = performance.now();
  const { states, transitions, complete, violation } = explore();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  total += states;
  const end = violation === undefined ? (complete ? 'all' : `all within ${depth} steps`) : violation.says;
  console.info(
    `| ${name} | ${states.toLocaleString('en')} | ${transitions.toLocaleString('en')} | ${seconds} s | ${end} |`,
  );
  if (violation === undefined) return;
  failed = true;
  for (const line of violation.trace) console.info(`    ${line}`);
}

console.info('| model | states | transitions | time | searched |\n|---|---|---|---|---|');
for (const { name, bounds } of PAXOS_SIZES) search(`Paxos: ${name}`, () => new PaxosModel(bounds).explore());
for (const { name, bounds } of GROUP_SIZES)
  search(`group: ${name}`, () => new GroupModel({ ...bounds, depth }).explore());
console.info(`${total.toLocaleString('en')} states`);
process.exitCode = failed ? 1 : 0;
