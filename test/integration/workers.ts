import { GenericContainer, type StartedTestContainer } from 'testcontainers';
import { BASE, engine, ROOT, type Stage } from './docker.js';

/** What a worker of examples/ prints with `--events`. */
interface WorkerEvent {
  readonly kind?: string;
  readonly name: string;
  readonly partition: number;
  readonly offset: number;
  readonly generation: number;
  readonly store: string;
  readonly error: string;
}

/** Any Node program of this checkout in a container of its own; the package must be built. */
export function programContainer(args: readonly string[]): GenericContainer {
  return new GenericContainer(BASE)
    .withBindMounts([{ source: ROOT, target: '/app', mode: 'ro' }])
    .withWorkingDir('/app')
    .withCommand(['node', ...args]);
}

/** A worker in a container of its own, and what it says. */
export class WorkerContainer {
  readonly events: WorkerEvent[] = [];
  #container: StartedTestContainer | undefined;

  private constructor(readonly name: string) {}

  static async start(stage: Stage, name: string, args: readonly string[]): Promise<WorkerContainer> {
    const worker = new WorkerContainer(name);
    const container = programContainer([...args, '--name', name]);
    worker.#container = await stage.start(name, container, (line) => {
      if (line.startsWith('{')) worker.events.push(JSON.parse(line) as WorkerEvent);
    });
    return worker;
  }

  get container(): StartedTestContainer {
    return this.#container!;
  }
  all(kind: string): readonly WorkerEvent[] {
    return this.events.filter((event) => event.kind === kind);
  }
  /** What it works on now. */
  get owned(): readonly number[] {
    const owned = new Set<number>();
    for (const { kind, partition } of this.events)
      if (kind === 'takes') owned.add(partition);
      else if (kind === 'gives') owned.delete(partition);
    return [...owned].sort((a, b) => a - b);
  }

  /** As a deployment does it; resolves when it has ended. */
  async stop(): Promise<void> {
    await (await engine()).getContainer(this.container.getId()).stop({ t: 20 });
  }
  async kill(): Promise<void> {
    await (await engine()).getContainer(this.container.getId()).kill();
  }
}

/** The highest offset of each partition whose commit was acknowledged to one of the workers. */
export function acknowledgedBy(workers: readonly WorkerContainer[]): ReadonlyMap<number, number> {
  const highest = new Map<number, number>();
  for (const worker of workers)
    for (const { partition, offset } of worker.all('committed'))
      highest.set(partition, Math.max(offset, highest.get(partition) ?? 0));
  return highest;
}

/** Takes the container off the network, or puts it back under its name. */
export async function cut(container: StartedTestContainer, network: string): Promise<void> {
  await (await engine()).getNetwork(network).disconnect({ Container: container.getId(), Force: true });
}
export async function join(container: StartedTestContainer, network: string, alias: string): Promise<void> {
  const EndpointConfig = { Aliases: [alias] };
  await (await engine()).getNetwork(network).connect({ Container: container.getId(), EndpointConfig });
}
