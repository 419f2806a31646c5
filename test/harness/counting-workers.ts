import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { WorkerOptions } from '../../src/worker/index.js';
import { ROOT } from './cluster.js';
import { eventually } from './waiting.js';

interface Message {
  readonly id?: number;
  readonly kind:
    'seal' | 'write' | 'begins' | 'committed' | 'problem' | 'owns' | 'started' | 'rejoined' | 'rebalanced';
  readonly name: string;
  readonly scope: string;
  readonly token: string;
  readonly partition: number;
  readonly position: string;
  readonly count: number;
  readonly epoch: number;
  readonly code: string;
  readonly text: string;
}

/** The store of all workers, and the judge of what they do. */
class Judge {
  readonly partitions: number;
  readonly problems: { readonly name: string; readonly code: string; readonly text: string }[] = [];
  readonly violations: string[] = [];
  refused = 0;
  /** By partition: when a write was taken last. */
  readonly writtenAt = new Map<number, number>();
  /** By partition: the highest position whose commit has resolved. */
  readonly committed = new Map<number, bigint>();
  readonly owns = new Map<string, number>();
  /** By worker: the generation of its last rebalance. */
  readonly epochs = new Map<string, number>();
  readonly #owners = new Map<string, { readonly token: bigint; readonly name: string }>();

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  /** What the store answers: the token that has taken over; undefined: taken. */
  hear({
    kind,
    name,
    scope,
    token,
    partition,
    position,
    count,
    epoch,
    code,
    text,
  }: Message): string | undefined {
    switch (kind) {
      case 'seal':
      case 'write': {
        const owner = this.#owners.get(scope);
        if (owner !== undefined && BigInt(token) < owner.token) {
          this.refused++;
          return String(owner.token);
        }
        if (owner?.token === BigInt(token) && owner.name !== name)
          this.violations.push(`${scope}: ${name} and ${owner.name} both work under ${token}`);
        if (kind === 'write' && owner?.token !== BigInt(token))
          this.violations.push(`${scope}: ${name} writes under ${token}, which was not sealed`);
        this.#owners.set(scope, { token: BigInt(token), name });
        if (kind === 'write') this.writtenAt.set(partition, performance.now());
        return undefined;
      }
      case 'begins': {
        const before = this.committed.get(partition) ?? 0n;
        if (BigInt(position) < before)
          this.violations.push(`${partition}: ${name} begins at ${position}, ${before} was committed`);
        return undefined;
      }
      case 'committed': {
        const before = this.committed.get(partition) ?? 0n;
        if (BigInt(position) > before) this.committed.set(partition, BigInt(position));
        return undefined;
      }
      case 'owns':
        this.owns.set(name, count);
        return undefined;
      case 'rebalanced':
        this.epochs.set(name, epoch);
        return undefined;
      case 'problem':
        this.problems.push({ name, code, text });
        return undefined;
      case 'started':
      case 'rejoined':
        return undefined;
    }
  }

  /** By scope, under which token it is worked on. */
  tokens(): ReadonlyMap<string, bigint> {
    return new Map([...this.#owners].map(([scope, { token }]) => [scope, token]));
  }

  /** Every partition is written to from now on. Milliseconds until then. */
  async works(boundMs: number): Promise<number> {
    const since = performance.now();
    await eventually('every partition is worked on', boundMs, () =>
      Array.from({ length: this.partitions }, (_, partition) => partition).every(
        (partition) => (this.writtenAt.get(partition) ?? 0) > since,
      ),
    );
    return performance.now() - since;
  }
}

type Options = Partial<WorkerOptions> & Pick<WorkerOptions, 'brokers' | 'group'>;

/** Workers of `quorate/worker`, each in a process of its own, that count in one store: this process. */
export class CountingWorkers {
  readonly judge: Judge;
  readonly running = new Map<string, ChildProcess>();
  readonly #topic: string;
  readonly #options: Options;

  constructor(topic: string, partitions: number, options: Options) {
    this.judge = new Judge(partitions);
    this.#topic = topic;
    this.#options = options;
  }

  /** Resolves when it has joined. */
  async start(name: string): Promise<ChildProcess> {
    const options = JSON.stringify({ ...this.#options, name, topic: this.#topic });
    const child = fork(join(ROOT, 'test/harness/counting-worker.js'), [options], { cwd: ROOT });
    this.running.set(name, child);
    child.once('exit', () => this.running.delete(name));
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
      child.on('message', (message: Message) => {
        if (message.kind === 'started') resolve();
        const current = this.judge.hear(message);
        // One that was killed takes no answer.
        if (message.id !== undefined && child.connected)
          child.send({ id: message.id, current }, () => undefined);
      });
    });
    return child;
  }
  block(name: string, blockMs: number): void {
    this.running.get(name)!.send({ blockMs });
  }
  /** It leaves and joins so many times. */
  async rejoin(name: string, rejoins: number): Promise<void> {
    const child = this.running.get(name)!;
    const done = new Promise<void>((resolve) =>
      child.on('message', ({ kind }: Message) => {
        if (kind === 'rejoined') resolve();
      }),
    );
    child.send({ rejoins });
    await done;
  }
  /** Drains it. */
  async stop(name: string): Promise<void> {
    const child = this.running.get(name)!;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  }
  killAll(): void {
    for (const child of this.running.values()) child.kill('SIGKILL');
  }
}
