import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';
import { freePorts } from '../harness/tcp-ports.js';
import { eventually } from '../harness/waiting.js';

const directories: string[] = [];
const children: Child[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await child.stop(15_000);
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}, 60_000);

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'quorate-up-'));
  directories.push(made);
  return made;
}

async function threeConsecutivePorts(): Promise<string> {
  for (;;) {
    const [first] = await freePorts(1);
    const taken = await Promise.allSettled([1, 2].map((i) => fetch(`http://127.0.0.1:${first! + i}`)));
    if (taken.every(({ status }) => status === 'rejected')) return String(first);
  }
}

describe('quorate up', () => {
  it('runs three replicas in the current directory, stops them in order and says how to choose other ports', async () => {
    const cwd = directory();
    const [kafka, http, peer] = [
      await threeConsecutivePorts(),
      await threeConsecutivePorts(),
      await threeConsecutivePorts(),
    ];
    const args = [
      join(ROOT, 'bin/quorate.js'),
      'up',
      '--kafka-port',
      kafka,
      '--http-port',
      http,
      '--peer-port',
      peer,
    ];
    const child = new Child('quorate up', process.execPath, args, { cwd });
    children.push(child);
    await eventually('three replicas are ready', 90_000, async () => {
      const answers = await Promise.all(
        [0, 1, 2].map((i) =>
          fetch(`http://127.0.0.1:${Number(http) + i}/health/ready`).catch(() => undefined),
        ),
      );
      return answers.every((answer) => answer?.status === 200);
    });
    expect(existsSync(join(cwd, 'data', 'cluster.json'))).toBe(true);

    const second = new Child('quorate up, again', process.execPath, args, { cwd: directory() });
    children.push(second);
    await second.exited;
    await second.printed;
    expect(second.lines.join('\n')).toContain('quorate up --kafka-port N');
  }, 180_000);
});

describe('the quorate command in a checkout', () => {
  it('builds when nothing is built yet, twice at the same time as well, and keeps the output of the command clean', async () => {
    const checkout = directory();
    for (const name of [
      'src',
      'bin',
      'package.json',
      'nest-cli.json',
      'scripts/build.js',
      'tsconfig.json',
      'tsconfig.build.json',
    ])
      cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
    const printed: string[] = [];
    // Two at once, as in two terminals: neither meets what the other has half built.
    const both = ['one', 'two'].map((name) => {
      const child = new Child(name, process.execPath, ['bin/quorate.js', 'cluster-id'], { cwd: checkout });
      children.push(child);
      child.onLine((line, stream) => void (stream === 'stdout' && printed.push(line)));
      return child.printed;
    });
    await Promise.all(both);
    const id = expect.stringMatching(/^[A-Za-z0-9_-]{22}$/);
    expect(printed).toEqual([id, id]);
    expect(existsSync(join(checkout, 'dist/bin.js'))).toBe(true);
    expect(readdirSync(checkout).filter((name) => name.startsWith('.build-'))).toEqual([]);
  }, 600_000);
});
