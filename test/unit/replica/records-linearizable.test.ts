import { describe, expect, it } from '@jest/globals';
import { groupId, type Random, replicaId, seededRandom } from '../../../src/kernel/index.js';
import type { RegisterCommand } from '../../../src/machine/index.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const SEEDS = Number(process.env['SEEDS'] ?? 12);
const FIRST = Number(process.env['SEED'] ?? 1);
const SPACE = 'space';
const CLIENTS = 4;
const RUN_MS = 6_000;

/** What a client asked and was told, in virtual time. Versions of a record order its changes. */
interface Operation {
  readonly kind: 'write' | 'read';
  readonly startedAt: number;
  endedAt: number;
  /** Of a write that was taken, or of what was read (0: nothing there); undefined: the outcome is not known. */
  version: number | undefined;
}

/**
 * A versioned register is linearizable iff its versions fit the order in time: every version is given to one write at
 * most, who starts after another ended sees at least what that one saw or wrote, and nobody sees a version before the
 * write that could have made it began.
 */
function judge(history: readonly Operation[]): void {
  const known = history.filter(({ version }) => version !== undefined);
  const taken = known.filter(({ kind }) => kind === 'write').map(({ version }) => version!);
  expect(new Set(taken).size).toBe(taken.length);
  for (const later of known) {
    for (const earlier of known) {
      if (earlier.endedAt >= later.startedAt) continue;
      const least = later.kind === 'write' ? earlier.version! + 1 : earlier.version!;
      if (later.version! < least)
        throw new Error(`${JSON.stringify(later)} comes after ${JSON.stringify(earlier)}`);
    }
    // A version above all that was tried before the answer came from nowhere.
    const tried = history.filter(
      ({ kind, startedAt }) => kind === 'write' && startedAt <= later.endedAt,
    ).length;
    if (later.version! > tried) throw new Error(`${JSON.stringify(later)} after only ${tried} writes`);
  }
}

class Run {
  readonly history: Operation[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #seen = new Array<number>(CLIENTS).fill(0);
  readonly #busy = new Array<boolean>(CLIENTS).fill(false);

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#cluster = new SimulatedCluster({ seed, shards: 1 });
  }

  async run(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.startAll();
    while (cluster.time.now < RUN_MS) {
      for (let client = 0; client < CLIENTS; client++) if (!this.#busy[client]) this.#ask(client);
      await this.#disturb();
      await cluster.time.advance(this.#random.below(20));
    }
    cluster.network.heal();
    for (const id of cluster.ids) if (!cluster.replicas.has(id)) await cluster.start(id);
    await cluster.time.advance(3_000);
    expect(cluster.fatal).toEqual([]);
    judge(this.history);
  }

  #ask(client: number): void {
    const replicas = [...this.#cluster.replicas.values()];
    if (replicas.length === 0) return;
    const replica = this.#random.pick(replicas);
    const shard = replica.shardOf(groupId(SPACE));
    const kind = this.#random.chance(0.5) ? 'write' : 'read';
    const operation: Operation = {
      kind,
      startedAt: this.#cluster.time.now,
      endedAt: Number.POSITIVE_INFINITY,
      version: undefined,
    };
    this.history.push(operation);
    this.#busy[client] = true;
    const done = (version: number | undefined): void => {
      this.#busy[client] = false;
      operation.endedAt = this.#cluster.time.now;
      operation.version = version;
      if (version !== undefined) this.#seen[client] = version;
    };
    if (kind === 'read') {
      return replica.read(shard, (outcome) =>
        done(outcome.kind === 'ok' ? (outcome.view.registers.get(SPACE, 'r')?.version ?? 0) : undefined),
      );
    }
    const version = this.#seen[client]!;
    const fields = [{ name: 'by', json: String(client) }];
    const command: RegisterCommand = {
      kind: 'record.write',
      space: SPACE,
      atomic: true,
      operations: [
        version === 0
          ? { kind: 'insert', id: 'r', fields, fence: null }
          : { kind: 'update', id: 'r', version, fields, replace: false, fence: null },
      ],
    };
    replica.submitAnywhere(shard, command, (outcome) => {
      if (outcome.kind !== 'ok' || outcome.reply.kind !== 'records') return done(undefined);
      const [result] = outcome.reply.outcomes;
      if (result?.kind === 'version-conflict' || result?.kind === 'already-exists') {
        this.#seen[client] = result.actual;
        // The refusal tells the version: as good as a read.
        this.history.push({
          ...operation,
          kind: 'read',
          endedAt: this.#cluster.time.now,
          version: result.actual,
        });
      }
      done(result?.kind === 'written' ? result.version : undefined);
    });
  }

  async #disturb(): Promise<void> {
    const cluster = this.#cluster;
    const random = this.#random;
    const id = replicaId(1 + random.below(3));
    const roll = random.below(200);
    if (roll < 2 && cluster.replicas.size === 3) {
      cluster.kill(id);
      // Whoever waited for it never hears of it.
      this.#busy.fill(false);
    } else if (roll < 10) {
      for (const each of cluster.ids) if (!cluster.replicas.has(each)) await cluster.start(each);
    } else if (roll < 14) cluster.network.cut(id, replicaId(1 + (Number(id) % 3)));
    else if (roll < 22) cluster.network.heal();
  }
}

describe('records in a cluster that is killed and cut', () => {
  it(`are linearizable, for ${SEEDS} seeds from ${FIRST}`, async () => {
    let written = 0;
    let read = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const run = new Run(seed);
      try {
        await run.run();
      } catch (error) {
        throw new Error(`SEED=${seed} SEEDS=1: ${(error as Error).message}`, { cause: error });
      }
      for (const { kind, version } of run.history) {
        if (version === undefined) continue;
        if (kind === 'write') written++;
        else read++;
      }
    }
    console.info(`${written} writes and ${read} reads with a known outcome`);
    expect(written).toBeGreaterThan(SEEDS * 20);
    expect(read).toBeGreaterThan(SEEDS * 20);
  }, 120_000);
});
