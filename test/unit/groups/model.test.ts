import { describe, expect, it } from '@jest/globals';
import { type Random, seededRandom } from '../../../src/kernel/index.js';
import { groupId } from '../../../src/kernel/index.js';
import { decodeAssignment } from '../../harness/consumer-protocol.js';
import { answerOf, GROUP, GroupsWorld, TOPIC } from './world.js';

const SEEDS = 3_000;
const STEPS = 60;
const PARTITIONS = 5;

/** expect() would take most of the time. */
function must(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

/** What a client knows of itself. */
interface Client {
  id: string;
  readonly instance: string | undefined;
  generation: number;
  owned: readonly number[];
}

/**
 * Random lives of one group, with clients that only know what they were told. After every step: generations only grow,
 * no partition of a generation has two owners, tokens of a scope never repeat and never go down and change exactly with
 * the owner, commits are taken from the present generation only, and nothing committed is lost.
 */
class Life {
  readonly world = new GroupsWorld();
  readonly #random: Random;
  readonly #clients: Client[] = [];
  readonly #committed = new Map<number, number>();
  /** scope -> the grant seen last, also when it has no owner now. */
  readonly #grants = new Map<string, { owner: string | null; token: number }>();
  /** generation -> partition -> owner */
  readonly #owners = new Map<number, Map<number, string>>();
  #generation = 0;
  #offset = 0;
  #names = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  step(): void {
    const { world } = this;
    world.forget();
    this.#act();
    this.#listen();
    this.#check();
  }

  #act(): void {
    const random = this.#random;
    const { world } = this;
    const client = this.#clients.length === 0 ? undefined : random.pick(this.#clients);
    const what = random.below(100);
    if (client === undefined || (what < 12 && this.#clients.length < 5)) return this.#arrive();
    if (what < 30) return this.#rejoin(client);
    if (what < 55) return this.#sync(client);
    if (what < 72) return this.#commit(client);
    if (what < 78) return this.#leave(client);
    if (what < 82) return this.#replace(client);
    if (what < 92) return world.pass(random.pick([1, 50.3, 150, 3_000, 11_000]));
    if (what < 97) return this.#failOver();
    this.#delete();
  }

  #arrive(): void {
    const name = `m${++this.#names}`;
    const instance = this.#random.chance(0.3) ? `i${this.#names}` : undefined;
    this.world.join({ newId: name, ...(instance === undefined ? {} : { instance }) });
    this.#clients.push({ id: name, instance, generation: -1, owned: [] });
  }
  #rejoin(client: Client): void {
    const answer = answerOf(
      this.world.join({
        id: client.id,
        ...(client.instance === undefined ? {} : { instance: client.instance }),
      }),
    );
    if (answer === 'UNKNOWN_MEMBER_ID' || answer === 'FENCED_INSTANCE_ID') this.#forget(client);
    else if (answer === 'NONE') client.generation = this.world.generation;
  }
  #sync(client: Client): void {
    const { world } = this;
    const members = world.members;
    const deal: Record<string, number[]> = Object.fromEntries(members.map((id) => [id, []]));
    if (client.id === world.leader) {
      for (let partition = 0; partition < PARTITIONS; partition++)
        deal[this.#random.pick(members)]!.push(partition);
    }
    const options = {
      generation: client.generation,
      ...(client.instance === undefined ? {} : { instance: client.instance }),
    };
    world.sync(client.id, client.id === world.leader ? deal : {}, options);
  }
  #commit(client: Client): void {
    const { world } = this;
    const partition = this.#random.below(PARTITIONS);
    const generation = this.#random.chance(0.2) ? client.generation - 1 : client.generation;
    const offset = ++this.#offset;
    const options = { generation, ...(client.instance === undefined ? {} : { instance: client.instance }) };
    const mayBeTaken =
      world.members.includes(client.id) &&
      generation === world.generation &&
      world.state !== 'CompletingRebalance';
    const isSimple = generation < 0 && (world.state === 'Empty' || world.state === 'missing');
    const answer = answerOf(world.commit(client.id, partition, offset, options));
    must(
      (answer === 'NONE') === (mayBeTaken || isSimple),
      `a commit of generation ${generation} was answered ${answer}`,
    );
    if (answer === 'NONE') this.#committed.set(partition, offset);
  }
  #leave(client: Client): void {
    this.world.leave({ id: client.id });
    this.#forget(client);
  }
  /** A new process under the name of a static member. The old one does not know. */
  #replace(client: Client): void {
    if (client.instance === undefined) return;
    const id = `m${++this.#names}`;
    const answer = answerOf(this.world.join({ newId: id, instance: client.instance }));
    const generation = answer === 'NONE' ? this.world.generation : -1;
    this.#clients.push({ id, instance: client.instance, generation, owned: [] });
  }
  #failOver(): void {
    const before = this.world.snapshot();
    this.world.failOver();
    must(this.world.snapshot().equals(before), 'a snapshot of what was restored differs');
    this.world.takeOver();
  }
  #delete(): void {
    const answer = answerOf(this.world.apply({ kind: 'group.delete', group: groupId(GROUP) }).reply);
    if (answer === 'NONE') this.#committed.clear();
  }
  #forget(client: Client): void {
    this.#clients.splice(this.#clients.indexOf(client), 1);
  }

  /** Clients hear what they are told. */
  #listen(): void {
    for (const { memberId, answer } of this.world.told('join-answer')) {
      const client = this.#clients.find(({ id }) => id === memberId);
      if (client === undefined || answer.error !== 'NONE') continue;
      must(
        answer.generation > client.generation,
        `${memberId} was told generation ${answer.generation} after ${client.generation}`,
      );
      client.generation = answer.generation;
      client.owned = [];
    }
    for (const { memberId, answer } of this.world.told('sync-answer')) {
      const client = this.#clients.find(({ id }) => id === memberId);
      if (client === undefined || answer.error !== 'NONE') continue;
      client.owned = decodeAssignment(Buffer.from(answer.assignment))[TOPIC] ?? [];
      const owners = this.#owners.get(client.generation) ?? new Map<number, string>();
      this.#owners.set(client.generation, owners);
      for (const partition of client.owned) {
        const name = client.instance ?? client.id;
        must(
          (owners.get(partition) ?? name) === name,
          `partition ${partition} belongs to ${name} and ${owners.get(partition)}`,
        );
        owners.set(partition, name);
      }
    }
  }

  #check(): void {
    const { world } = this;
    if (world.state !== 'missing') {
      must(
        world.generation >= this.#generation,
        `generation ${world.generation} follows ${this.#generation}`,
      );
      this.#generation = world.generation;
    }
    for (const [partition, offset] of this.#committed)
      must(
        world.committed(partition) === offset,
        `${offset} was committed for partition ${partition}, ${world.committed(partition)} is there`,
      );
    this.#checkFences();
  }
  #checkFences(): void {
    const now = this.world.fences();
    for (const [scope, { owner, token }] of now) {
      const before = this.#grants.get(scope);
      if (before !== undefined) {
        const same = before.owner === owner;
        must(
          same ? token === before.token : token > before.token,
          `${scope}: ${owner} has token ${token} after ${before.owner} with ${before.token}`,
        );
      }
      this.#grants.set(scope, { owner, token });
    }
    // Nobody owns it now: whoever gets it next, the same member included, gets a new token.
    for (const [scope, grant] of this.#grants)
      if (!now.has(scope)) this.#grants.set(scope, { ...grant, owner: null });
  }
}

describe('a group', () => {
  it(`keeps its promises over ${SEEDS} random lives`, () => {
    const first = Number(process.env['SEED'] ?? 1);
    const reached = { stable: 0, generations: 0, tokens: 0 };
    for (let seed = first; seed < first + SEEDS; seed++) {
      const life = new Life(seed);
      try {
        for (let step = 0; step < STEPS; step++) {
          life.step();
          if (life.world.state === 'Stable') reached.stable++;
        }
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      reached.generations += life.world.generation;
      reached.tokens += life.world.fences().size;
    }
    // The lives were lively.
    expect(reached.stable).toBeGreaterThan(SEEDS);
    expect(reached.generations).toBeGreaterThan(SEEDS * 2);
    expect(reached.tokens).toBeGreaterThan(SEEDS / 4);
  }, 60_000);
});
