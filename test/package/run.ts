import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;

/** Without what `npm run` tells its children about the package that it runs for: they are another one. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle|config_local_prefix|command)|INIT_CWD$)/.test(name),
  ),
);

/** Runs a command to its end, whatever that is. */
export function attempt(
  command: string,
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...environment, ...variables }, maxBuffer: OUTPUT_BYTES_MAX };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** @throws Error with all that it printed, when it ends with another code than 0. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const ended = await attempt(command, args, cwd);
  if (ended.code === 0) return ended;
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.code}:\n${ended.stdout}\n${ended.stderr}`);
}

/** The executable of another version of Node, from the registry. */
export async function nodeOf(major: number): Promise<string> {
  const { stdout } = await run('npx', ['--yes', '-p', `node@${major}`, '-c', 'command -v node'], tmpdir());
  return stdout.trim();
}
