import type { Command } from 'commander';
import type { UpgradeJson } from '../admin/index.js';
import { type Ask, type CliSurroundings, type Common, withCommonOptions } from './ask.js';
import { table } from './format.js';

interface UpgradeOptions extends Common {
  readonly execute?: boolean;
  readonly level?: string;
}

/** `quorate upgrade`: shows which feature level the cluster uses, and raises it with --execute. */
export function addUpgrade(program: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  withCommonOptions(
    program
      .command('upgrade')
      .description('use what is new in a version, once every replica runs it; until then each may go back')
      .option('--execute', 'do it: there is no way back to an older version; without this it is only shown')
      .option('--level <n>', 'the feature level to use; by default the highest that any replica knows'),
  ).action(async (options: UpgradeOptions) => {
    const { execute = false, level } = options;
    if (level !== undefined && !/^[1-9][0-9]{0,8}$/.test(level))
      return fail('--level is a number, such as 6', 2);
    let answer: UpgradeJson | undefined;
    const body = { execute, ...(level !== undefined && { level: Number(level) }) };
    await ask(
      options,
      async (admin) => (answer = await admin.request<UpgradeJson>('POST', '/upgrade', body)),
      upgradeText,
    );
    if (answer !== undefined && answer.problems.length > 0) fail('not possible now', 1);
  });
}

function upgradeText({ used, target, replicas, problems, executed }: UpgradeJson): string {
  const rows = replicas.map(({ id, up, featureLevel }) => [id, up ? 'up' : 'DOWN', featureLevel ?? '-']);
  return [
    `the cluster uses feature level ${used}`,
    '',
    table(['REPLICA', 'STATE', 'KNOWS LEVEL'], rows),
    '',
    ...(problems.length > 0
      ? [`Level ${target} cannot be used:`, ...problems.map((problem) => `  ${problem}`)]
      : [verdict(used, target, executed)]),
  ].join('\n');
}

function verdict(used: number, target: number, executed: boolean): string {
  if (executed) return `Level ${used} is used from now on. A version that does not know it does not start.`;
  if (used === target) return 'Nothing is to be done.';
  return (
    `Every replica knows level ${target}. To use it, add --execute: from then on there is no way back to a version that does not know it.\n` +
    'Nothing was changed.'
  );
}
