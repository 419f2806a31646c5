import { Child } from './child.js';
import { type Cluster, ROOT } from './cluster.js';

/** Runs the built `quorate` against a cluster. Gives its exit code, and all that it printed. */
export async function quorate(
  cluster: Pick<Cluster, 'replicas'>,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly text: string }> {
  const urls = cluster.replicas.map(({ http }) => http).join(',');
  const child = new Child('quorate', process.execPath, ['dist/bin.js', ...args], {
    cwd: ROOT,
    env: { QUORATE_URL: urls },
  });
  const code = await child.exited;
  await child.printed;
  return { code, text: child.lines.join('\n') };
}
