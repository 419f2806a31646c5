import { fork } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../test/harness/waiting.js';

const SYNCS = 400;
const TRIPS = 4_000;

export interface Machine {
  readonly fdatasyncMs: number;
  /** Of a loop that does nothing but write 4 KiB and sync. */
  readonly fdatasyncsPerSecond: number;
  readonly loopbackMs: number;
}

/** What this machine gives, in the directory where the replicas keep their data. */
export async function measureMachine(directory: string): Promise<Machine> {
  return { ...measureSync(directory), loopbackMs: await measureLoopback() };
}

function measureSync(directory: string): { fdatasyncMs: number; fdatasyncsPerSecond: number } {
  const folder = mkdtempSync(join(directory, 'quorate-bench-'));
  const file = openSync(join(folder, 'sync'), 'w');
  const block = Buffer.alloc(4_096, 7);
  // As the log does it: the file is zero-filled before, so that no sync has to change its length.
  for (let i = 0; i < SYNCS; i++) writeSync(file, Buffer.alloc(4_096), 0, 4_096, i * 4_096);
  fdatasyncSync(file);
  const took: number[] = [];
  const began = performance.now();
  for (let i = 0; i < SYNCS; i++) {
    const from = performance.now();
    writeSync(file, block, 0, block.length, i * 4_096);
    fdatasyncSync(file);
    took.push(performance.now() - from);
  }
  const seconds = (performance.now() - began) / 1_000;
  closeSync(file);
  rmSync(folder, { recursive: true });
  return { fdatasyncMs: median(took), fdatasyncsPerSecond: SYNCS / seconds };
}

const ECHO = '--echo';

/** 64 bytes there and back, to another process, one at a time. */
async function measureLoopback(): Promise<number> {
  const echo = fork(fileURLToPath(import.meta.url), [ECHO], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => echo.once('message', (sent) => resolve(Number(sent))));
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await new Promise((resolve) => socket.once('connect', resolve));
  const took: number[] = [];
  for (let i = 0; i < TRIPS; i++) {
    const from = performance.now();
    const back = new Promise((resolve) => socket.once('data', resolve));
    socket.write(Buffer.alloc(64));
    await back;
    took.push(performance.now() - from);
  }
  socket.destroy();
  echo.kill();
  return median(took.slice(TRIPS / 4));
}

if (process.argv[2] === ECHO) {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
}
