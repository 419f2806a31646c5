import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { freePorts } from '../harness/tcp-ports.js';
import { eventually, sleep } from '../harness/waiting.js';

const directories: string[] = [];
const children: Child[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await child.stop(15_000);
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** Nine free ports, three consecutive ones each. */
async function threePorts(): Promise<{ kafka: number; http: number; peer: number }> {
  const first = async (): Promise<number> => {
    for (;;) {
      const [base] = await freePorts(1);
      const taken = await Promise.all([0, 1, 2].map((i) => isTaken(base! + i)));
      if (!taken.includes(true)) return base!;
    }
  };
  const [kafka, http, peer] = [await first(), await first(), await first()];
  const all = [kafka, http, peer].flatMap((base) => [base, base + 1, base + 2]);
  return new Set(all).size === all.length ? { kafka, http, peer } : threePorts();
}
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}

function start(data: string, ports: { kafka: number; http: number; peer: number }): Child {
  const options = ['--kafka-port', ports.kafka, '--http-port', ports.http, '--peer-port', ports.peer].map(
    String,
  );
  const command = [process.execPath, 'dist/main.js', '--data', data, ...options];
  // Fewer open files than the connections that the settings allow.
  const child = new Child('npm start', '/bin/sh', ['-c', 'ulimit -n 4096; exec "$0" "$@"', ...command], {
    cwd: ROOT,
  });
  children.push(child);
  return child;
}
function dataDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-supervisor-'));
  directories.push(directory);
  return directory;
}
const ready = (http: number): Promise<unknown> =>
  Promise.all(
    [0, 1, 2].map((i) =>
      eventually(`replica ${i + 1} is ready`, 60_000, async () => {
        try {
          return (await fetch(`http://127.0.0.1:${http + i}/health/ready`)).ok;
        } catch {
          return false;
        }
      }),
    ),
  );
async function createTopic(http: number): Promise<void> {
  await eventually('the topic is made', 30_000, async () => {
    const { status } = await fetch(`http://127.0.0.1:${http}/topics`, {
      method: 'POST',
      body: JSON.stringify({ name: 'tenants', partitions: 8 }),
      headers: { 'content-type': 'application/json' },
    });
    // A leader moves on a busy machine: 503, or 409 when the first try was done after all.
    return status === 201 || status === 409;
  });
  // A replica learns of it with the next message; a commit for an unknown topic is refused, as Kafka does it.
  for (const replica of [http, http + 1, http + 2])
    await eventually('every replica knows the topic', 30_000, async () => {
      const { topics } = (await (await fetch(`http://127.0.0.1:${replica}/topics`)).json()) as {
        topics: readonly unknown[];
      };
      return topics.length === 1;
    });
}
const bootstrap = (kafka: number): { host: string; port: number }[] =>
  [0, 1, 2].map((i) => ({ host: '127.0.0.1', port: kafka + i }));

describe('npm start', () => {
  it('says what a person wants to know, stops cleanly, and finds everything when it starts again', async () => {
    const ports = await threePorts();
    const data = dataDirectory();
    const first = start(data, ports);
    await ready(ports.http);
    await createTopic(ports.http);
    const options = { bootstrap: bootstrap(ports.kafka), group: 'billing', topic: 'tenants', partitions: 8 };
    const member = new GroupMember({ ...options, sessionTimeoutMs: 60_000 });
    await member.start();
    expect(await member.commit(5, 1_234)).toBe(0);
    await eventually('the hand-over is told', 30_000, () =>
      first.lines.find((line) =>
        /billing: generation 1 is stable after \d+ ms, 8 moved: .* tenants\[0-7\]/.test(line),
      ),
    );
    for (const line of [/leads shard/, /billing: .* joined from \/127\.0\.0\.1/])
      await eventually(`it prints ${line}`, 30_000, () => first.lines.find((printed) => line.test(printed)));
    expect(first.lines.filter((printed) => /may open 4096 files/.test(printed))).toHaveLength(1);
    first.signal('SIGINT');
    expect(await first.exited).toBe(0);
    await first.printed;
    expect(first.lines.at(-1)).toMatch(/stopped\. The data stays/);
    expect(first.lines.filter((line) => /rror|xception|    at |lost replica/.test(line))).toEqual([]);

    start(data, ports);
    await ready(ports.http);
    // The same member goes on: its generation and its offsets are there.
    expect(await member.heartbeat()).toBe(0);
    const found = await member.client.ask(
      9,
      5,
      { groupId: 'billing', topics: [{ name: 'tenants', partitionIndexes: [5] }] },
      ({ errorCode }) => errorCode,
    );
    expect(found.topics[0]!.partitions[0]!.committedOffset).toBe(1_234);
    expect(member.joins).toBe(1);
    await member.leave();
  }, 240_000);

  it('says which port is in use and what to do', async () => {
    const ports = await threePorts();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports.http + 1, '127.0.0.1', resolve));
    try {
      const child = start(dataDirectory(), ports);
      expect(await child.exited).toBe(2);
      await child.printed;
      expect(child.lines.join('\n')).toContain(
        `port ${ports.http + 1} on 127.0.0.1 is in use. Stop what uses it, or choose others: npm start -- --http-port N`,
      );
    } finally {
      server.close();
    }
  }, 120_000);

  it('starts a killed replica again', async () => {
    const ports = await threePorts();
    const child = start(dataDirectory(), ports);
    await ready(ports.http);
    const status = async (): Promise<{ pid: number }> =>
      (await (await fetch(`http://127.0.0.1:${ports.http}/status`)).json()) as { pid: number };
    const { pid } = await status();
    process.kill(pid, 'SIGKILL');
    await eventually('it is told', 30_000, () =>
      child.lines.find((line) => /replica 1 ended \(SIGKILL\)/.test(line)),
    );
    await ready(ports.http);
    expect((await status()).pid).not.toBe(pid);
  }, 240_000);

  it('leaves no replica behind when it is killed itself', async () => {
    const ports = await threePorts();
    const child = start(dataDirectory(), ports);
    await ready(ports.http);
    await child.kill();
    await eventually('every port is free again', 30_000, async () => {
      const taken = await Promise.all([0, 1, 2].map((i) => isTaken(ports.kafka + i)));
      return !taken.includes(true);
    });
  }, 240_000);
});

describe('a clean stop of one replica after the other', () => {
  it('fails no commit of a client that looks its coordinator up again', async () => {
    const ports = await threePorts();
    const supervisor = start(dataDirectory(), ports);
    await ready(ports.http);
    await createTopic(ports.http);
    const member = new GroupMember({
      bootstrap: bootstrap(ports.kafka),
      group: 'billing',
      topic: 'tenants',
      partitions: 8,
      sessionTimeoutMs: 60_000,
    });
    await member.start();
    let working = true;
    let committed = 0;
    const failures: number[] = [];
    const work = (async () => {
      while (working) {
        const code = await member.commit(0, committed + 1);
        if (code === 0) committed++;
        else failures.push(code);
      }
    })();
    for (const i of [0, 1, 2]) {
      const url = `http://127.0.0.1:${ports.http + i}`;
      const { pid } = (await (await fetch(`${url}/status`)).json()) as { pid: number };
      process.kill(pid, 'SIGTERM');
      await eventually('it has ended', 30_000, () =>
        supervisor.lines.find((line) => line.startsWith(`replica ${i + 1} ended`)),
      );
      await ready(ports.http);
      await sleep(500);
    }
    working = false;
    await work;
    expect(failures).toEqual([]);
    expect(committed).toBeGreaterThan(3);
    const found = await member.client.ask(
      9,
      5,
      { groupId: 'billing', topics: [{ name: 'tenants', partitionIndexes: [0] }] },
      ({ errorCode }) => errorCode,
    );
    expect(found.topics[0]!.partitions[0]!.committedOffset).toBe(committed);
    expect(member.joins).toBe(1);
    await member.leave();
  }, 240_000);
});
