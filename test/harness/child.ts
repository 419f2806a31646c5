import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const LINES_KEPT = 4_000;
/** USER_HZ: Linux reports processor time in hundredths of a second on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Run as another user; only root may ask for it. */
  readonly uid?: number;
  readonly gid?: number;
}

/** A process that a test started: its lines are kept, and every signal goes to exactly this process. */
export class Child {
  readonly name: string;
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #listeners = new Set<(line: string, stream: 'stdout' | 'stderr') => void>();
  readonly exited: Promise<number | null>;
  /** All that it printed has been read: later than `exited`. */
  readonly printed: Promise<unknown>;
  #running = true;

  constructor(name: string, command: string, args: readonly string[], options: ChildOptions = {}) {
    const { env, ...rest } = options;
    this.name = name;
    this.#process = spawn(command, args, {
      ...rest,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.printed = Promise.all((['stdout', 'stderr'] as const).map((stream) => this.#listen(stream)));
    this.#process.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.lines.push(`cannot start ${command}: ${error.message}`);
        this.#running = false;
        resolve(null);
      });
      this.#process.once('exit', (code) => {
        this.#running = false;
        resolve(code);
      });
    });
  }

  #listen(stream: 'stdout' | 'stderr'): Promise<void> {
    const reader = createInterface({ input: this.#process[stream]! });
    reader.on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > LINES_KEPT) this.lines.splice(0, LINES_KEPT / 2);
      for (const listener of this.#listeners) listener(line, stream);
    });
    return new Promise((resolve) => reader.once('close', resolve));
  }

  get running(): boolean {
    return this.#running;
  }
  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#process.pid;
  }
  onLine(listener: (line: string, stream: 'stdout' | 'stderr') => void): void {
    this.#listeners.add(listener);
  }
  write(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }
  endInput(): void {
    this.#process.stdin?.end();
  }
  /** Stops reading what it prints, as a reader at the other end of a pipe does that has died. */
  closeOutput(): void {
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
  }
  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.#process.kill(signal);
  }
  /** Asks it to stop, and kills it when it has not within `graceMs`. */
  async stop(graceMs = 5_000): Promise<number | null> {
    if (!this.#running) return this.exited;
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  cpuMicros(): number {
    return cpuMicrosOf(this.pid);
  }
  rssBytes(): number {
    return this.#status(/VmRSS:\s+(\d+) kB/) * 1_024;
  }
  openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }
  /** Bytes that it caused to be sent to the disk. */
  diskBytesWritten(): number {
    const io = readFileSync(`/proc/${this.pid}/io`, 'latin1');
    return Number(/^write_bytes: (\d+)/m.exec(io)?.[1]);
  }
  #status(pattern: RegExp): number {
    return Number(pattern.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))?.[1]);
  }
}

/** Processor time of all threads of a process since it started, in microseconds, in steps of 10,000. */
export function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name in parentheses and may hold blanks; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}
