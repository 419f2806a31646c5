import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { shardId } from '../../../src/kernel/index.js';
import { openFileStorage } from '../../../src/storage/index.js';
import { ROOT } from '../../harness/cluster.js';
import { eventually } from '../../harness/waiting.js';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** A process that opens the directory, says so, and keeps it. */
const HOLDER = `
import { openFileStorage } from './src/storage/index.ts';
const { storage } = await openFileStorage({ directory: process.argv[1] });
console.log('it has the directory');
process.stdin.on('data', () => storage.close().then(() => process.exit(0))).resume();
`;
function hold(path: string, prefix: readonly string[] = []): { child: ChildProcess; said: () => string } {
  const node = [process.execPath, '--import', './test/harness/typescript.js', '--input-type=module'];
  const [command, ...args] = [...prefix, ...node, '-e', HOLDER, path];
  const child = spawn(command, args, { cwd: ROOT });
  children.push(child);
  let text = '';
  child.stdout.on('data', (bytes) => (text += String(bytes)));
  child.stderr.on('data', (bytes) => (text += String(bytes)));
  return { child, said: () => text };
}
const held = (said: () => string): Promise<unknown> =>
  eventually('the directory is held', 30_000, () => {
    if (/Error/.test(said())) throw new Error(said());
    return said().includes('it has the directory');
  });
const ended = (child: ChildProcess): Promise<unknown> =>
  eventually('the holder has ended', 30_000, () => child.exitCode !== null || child.signalCode !== null);

/** As a container has it: another process with the same number may run here, and none of ours can be seen there. */
const OWN_PIDS = ['unshare', '--pid', '--fork', '--kill-child'];
const mayUnshare = ((): boolean => {
  try {
    execFileSync(OWN_PIDS[0]!, [...OWN_PIDS.slice(1), 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: this process may not make pid namespaces, so the lock is not tested across them');
    return false;
  }
})();
const acrossPids = mayUnshare ? it : it.skip;

describe('the lock of a data directory', () => {
  it('is held by a process until it ends, however it ends', async () => {
    const { child, said } = hold(directory);
    await held(said);
    await expect(openFileStorage({ directory })).rejects.toThrow(
      /is in use by process \d+ on \S+: stop it, or give each replica a directory of its own/,
    );
    // A process that is stopped lives.
    child.kill('SIGSTOP');
    await expect(openFileStorage({ directory })).rejects.toThrow(/is in use by/);
    child.kill('SIGKILL');
    await ended(child);
    const { storage } = await openFileStorage({ directory });
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual(['lock', 'lock.sock']);
    await storage.close();
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual([]);
  }, 60_000);

  acrossPids(
    'is seen from another pid namespace, as of two containers on one volume',
    async () => {
      const { said } = hold(directory, OWN_PIDS);
      await held(said);
      await expect(openFileStorage({ directory })).rejects.toThrow(/is in use by process \d+ on/);
      const second = hold(directory, OWN_PIDS);
      await ended(second.child);
      expect(second.said()).toMatch(/is in use by process \d+ on/);
    },
    60_000,
  );

  it('holds in a directory whose name does not fit into the address of a socket', async () => {
    const deep = join(directory, 'd'.repeat(120), 'data');
    mkdirSync(deep, { recursive: true });
    const { storage } = await openFileStorage({ directory: deep });
    await expect(openFileStorage({ directory: deep })).rejects.toThrow(
      process.platform === 'linux' ? /is in use by process \d+ on/ : /is in use by/,
    );
    await storage.close();
  });

  it('lets one of many that come at once have it', async () => {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => openFileStorage({ directory })));
    const open = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(open).toHaveLength(1);
    await open[0]!.storage.close();
  });

  it('that another process has taken over, ends the log: nothing more is written or acknowledged', async () => {
    const { storage } = await openFileStorage({ directory });
    const failures: string[] = [];
    storage.onFailure(({ message }) => failures.push(message));
    // As where no socket can be reached: another host has the directory, and sees no process of ours.
    rmSync(join(directory, 'lock'));
    writeFileSync(join(directory, 'lock'), '17 1 another\n');
    let acknowledged = 0;
    await eventually('the log ends', 30_000, () => {
      storage.append([{ shard: shardId(0), type: 1, payload: Buffer.from('x') }], true, () => acknowledged++);
      return failures.length > 0;
    });
    expect(failures).toEqual([expect.stringMatching(/another process has taken over the data directory/)]);
    const before = acknowledged;
    storage.append([], true, () => acknowledged++);
    await new Promise((resolve) => setImmediate(resolve));
    expect(acknowledged).toBe(before);
    await expect(
      storage.saveIdentity({
        clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg',
        replicaId: 1 as never,
        shards: 8,
        incarnation: '00000000-0000-4000-8000-000000000000',
        formedWith: {},
      }),
    ).rejects.toThrow(/another process has taken over/);
    await storage.close();
    expect(readdirSync(directory)).toContain('lock');
  });
});
