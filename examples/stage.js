// What the demos share: child processes, a cluster of three replicas on free ports, waiting and telling.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export const ended = (child) =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', resolve);
  });

/** The first of `count` consecutive free ports. */
export async function freePorts(count) {
  for (let base = 20_000 + Math.floor(Math.random() * 20_000); ; base += count) {
    const servers = [];
    try {
      for (let port = base; port < base + count; port++) {
        servers.push(
          await new Promise((resolve, reject) => {
            const server = createServer().once('error', reject);
            server.listen(port, '127.0.0.1', () => resolve(server));
          }),
        );
      }
      return base;
    } catch {
      // One of them is taken: the next ones.
    } finally {
      await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
    }
  }
}

export class Stage {
  #began = Date.now();
  #timeoutMs;
  #children = new Set();

  /** How long `eventually` waits. Milliseconds. */
  constructor(timeoutMs) {
    this.#timeoutMs = timeoutMs;
  }

  say = (who, text, at = Date.now()) =>
    console.log(`${((at - this.#began) / 1000).toFixed(2).padStart(6)} s  ${who.padEnd(9)} ${text}`);
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  async eventually(what, probe) {
    for (const until = Date.now() + this.#timeoutMs; Date.now() < until; await this.sleep(20)) {
      try {
        const found = await probe();
        if (found) return found;
      } catch {
        // Not yet.
      }
    }
    throw new Error(`waited ${this.#timeoutMs / 1000} s for: ${what}`);
  }

  start(args, onLine) {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    createInterface({ input: child.stdout }).on('line', onLine);
    return child;
  }

  async endAll() {
    const children = [...this.#children];
    for (const child of children) {
      // A stopped process takes no other signal before it goes on.
      child.kill('SIGCONT');
      child.kill('SIGTERM');
    }
    await Promise.all(children.map(ended));
  }

  /** Runs a demo in a directory of its own, ends what it left running, tells what went wrong, and exits 0 or 1. */
  async perform(demo, problems, success) {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-demo-'));
    try {
      await demo(directory);
    } catch (error) {
      problems.push(error.message);
    } finally {
      await this.endAll();
      rmSync(directory, { recursive: true, force: true });
    }
    console.log();
    for (const problem of problems) console.log(`WRONG: ${problem}`);
    if (problems.length === 0) console.log(success);
    process.exit(problems.length === 0 ? 0 : 1);
  }

  /** Three replicas with their data in `directory`, ready. `get(replica, path)`: JSON of a replica's HTTP. */
  async startCluster(directory) {
    const base = await freePorts(9);
    const [kafkaPort, httpPort, peerPort] = [base, base + 3, base + 6];
    const brokers = [0, 1, 2].map((i) => `127.0.0.1:${kafkaPort + i}`);
    const urls = [0, 1, 2].map((i) => `http://127.0.0.1:${httpPort + i}`);
    const get = async (replica, path) => {
      const response = await fetch(`${urls[replica - 1]}${path}`, { signal: AbortSignal.timeout(1_000) });
      return response.json();
    };
    this.say('cluster', 'three replicas start');
    const ports = ['--kafka-port', kafkaPort, '--http-port', httpPort, '--peer-port', peerPort];
    const cluster = this.start(['dist/main.js', '--data', directory, ...ports], (line) => {
      if (/ended/.test(line)) this.say('cluster', line);
    });
    for (const replica of [1, 2, 3])
      await this.eventually(`replica ${replica} is ready`, async () => (await get(replica, '/status')).ready);
    this.say('cluster', 'is ready');
    return { cluster, brokers, urls, get };
  }
}
