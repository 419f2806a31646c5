import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Random, replicaId } from '../../src/kernel/index.js';
import type { Ending } from '../../src/simulator/history.js';
import type { Cluster } from '../harness/cluster.js';
import type { LinkProxy } from '../harness/link-proxy.js';
import type { SmallDisk } from '../harness/small-disk.js';
import { sleep } from '../harness/waiting.js';

/** Left free on a full disk. Bytes. */
const CRUMBS = 16_384;

interface Fault {
  readonly name: string;
  /** Strikes, and gives back how to end it. */
  readonly strike: () => (() => Promise<void> | void) | Promise<() => Promise<void> | void>;
}

export interface Link {
  readonly from: number;
  readonly to: number;
  readonly proxy: LinkProxy;
}

interface Trouble {
  readonly clockMs: number;
  readonly syncMs: number;
  readonly hangs: boolean;
}

/** Harms a cluster of real processes. The seed draws which faults strike, whom, and for how long. */
export class Nemesis {
  readonly #cluster: Cluster;
  readonly #links: readonly Link[];
  readonly #random: Random;
  readonly #tell: (line: string) => void;
  readonly counts = new Map<string, number>();
  /** Replicas that ended by themselves, with their last words. */
  readonly endings: Ending[] = [];
  readonly #killed = new Set<number>();
  /** A fault of its disk explains that a replica ends. */
  readonly #badDisk = new Set<number>();
  #wiped = false;
  readonly #smallDisk: { readonly id: number; readonly disk: SmallDisk } | undefined;

  constructor(
    cluster: Cluster,
    links: readonly Link[],
    random: Random,
    tell: (line: string) => void,
    smallDisk: { readonly id: number; readonly disk: SmallDisk } | undefined,
  ) {
    this.#smallDisk = smallDisk;
    this.#cluster = cluster;
    this.#links = links;
    this.#random = random;
    this.#tell = tell;
  }

  /** One fault or two at once, for a while. */
  async round(): Promise<void> {
    const faults = this.#random.chance(0.3) ? [this.#draw(), this.#draw()] : [this.#draw()];
    const ends: (() => Promise<void> | void)[] = [];
    for (const { name, strike } of faults) {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      this.#tell(name);
      ends.push(await strike());
    }
    await sleep(1_000 + this.#random.below(5_000));
    for (const end of ends.reverse()) await end();
    this.heal();
    this.#tell('all faults end');
    await sleep(500 + this.#random.below(3_000));
  }

  /** Whatever a fault left behind. */
  heal(): void {
    for (const { proxy } of this.#links) proxy.heal();
    for (const { id, child } of this.#cluster.replicas) {
      this.#cluster.resume(id);
      this.#trouble(id, {});
      if (!child.running) this.#restart(id);
    }
  }

  #restart(id: number): void {
    if (!this.#killed.delete(id)) {
      const reason = this.#cluster.replica(id).child.lines.at(-1) ?? 'without a word';
      this.endings.push({ replica: replicaId(id), reason, explained: this.#badDisk.has(id) });
    }
    this.#cluster.restart(id);
  }

  async #killOne(id: number): Promise<void> {
    if (!this.#cluster.replica(id).child.running) return;
    this.#killed.add(id);
    await this.#cluster.kill(id);
  }

  /** Clocks and disks, as trouble.cjs reads it. */
  #trouble(id: number, { clockMs = 0, syncMs = 0, hangs = false }: Partial<Trouble>): void {
    writeFileSync(
      this.#cluster.replica(id).environment['TROUBLE_FILE']!,
      JSON.stringify({ clockMs, syncMs, hangs } satisfies Trouble),
    );
  }

  #draw(): Fault {
    const random = this.#random;
    const { id } = random.pick(this.#cluster.replicas);
    const link = random.pick(this.#links);
    const faults: Fault[] = [
      this.#kill(id),
      this.#stop(id, 1_000 + random.below(19_000)),
      this.#restartAll(),
      {
        name: 'a link is cut both ways',
        strike: () => {
          link.proxy.cut('there');
          link.proxy.cut('back');
          return () => link.proxy.heal();
        },
      },
      {
        name: 'a link is cut one way',
        strike: () => {
          link.proxy.cut(random.chance(0.5) ? 'there' : 'back');
          return () => link.proxy.heal();
        },
      },
      {
        name: 'a link is slow',
        strike: () => {
          link.proxy.delayMs = 50 + random.below(1_000);
          return () => link.proxy.heal();
        },
      },
      {
        name: 'a disk is slow',
        strike: () => {
          this.#trouble(id, { syncMs: 20 + random.below(600) });
          return () => this.#trouble(id, {});
        },
      },
      {
        name: 'a disk hangs',
        strike: () => {
          this.#trouble(id, { hangs: true });
          return () => this.#trouble(id, {});
        },
      },
      {
        name: 'a clock is wrong',
        strike: () => {
          this.#trouble(id, { clockMs: (random.chance(0.5) ? 1 : -1) * (1_000 + random.below(86_400_000)) });
          return () => this.#trouble(id, {});
        },
      },
    ];
    if (this.#smallDisk !== undefined) faults.push(this.#fillDisk(this.#smallDisk));
    if (!this.#wiped) faults.push(this.#wipe(id));
    return random.pick(faults);
  }

  #kill(id: number): Fault {
    return {
      name: 'a replica is killed',
      strike: async () => {
        await this.#killOne(id);
        return () => undefined;
      },
    };
  }

  #stop(id: number, ms: number): Fault {
    return {
      name: 'a replica is stopped',
      strike: () => {
        this.#cluster.pause(id);
        return async () => {
          await sleep(Math.max(0, ms - 6_000));
          this.#cluster.resume(id);
        };
      },
    };
  }

  #restartAll(): Fault {
    return {
      name: 'all replicas are killed at once',
      strike: async () => {
        await Promise.all(this.#cluster.replicas.map(({ id }) => this.#killOne(id)));
        return () => undefined;
      },
    };
  }

  /** Once in a run: a replica whose disk forgot does not vote before a person readmits it. */
  #wipe(id: number): Fault {
    return {
      name: 'a disk is wiped',
      strike: async () => {
        if (this.#wiped) return () => undefined;
        this.#wiped = true;
        await this.#killOne(id);
        this.#badDisk.add(id);
        const { dataDir } = this.#cluster.replica(id);
        spawnSync('find', [dataDir, '-mindepth', '1', '-delete']);
        return () => undefined;
      },
    };
  }

  #fillDisk({ id, disk }: { readonly id: number; readonly disk: SmallDisk }): Fault {
    return {
      name: 'a disk is full',
      strike: () => {
        this.#badDisk.add(id);
        disk.fill(CRUMBS);
        return () => disk.makeRoom();
      },
    };
  }
}
