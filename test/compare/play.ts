import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ResponseByKey } from '../../src/wire/index.js';
import { addressText } from '../harness/connection.js';
import { sleep } from '../harness/waiting.js';
import { filled, groupsIn, type Known } from './fill.js';
import { plain } from './plain.js';
import type { Ask, Sequence, Step, StepOutcome, Until } from './sequence.js';
import { type Arrived, CLOSED, Conversation, type Target } from './target.js';

/** What may park: answered when others have spoken, or time has passed. */
const PARKS: ReadonlySet<string> = new Set(['JoinGroup', 'SyncGroup']);
const WAIT_MS = 20_000;
const POLL_MS = 4;

/**
 * Sends a sequence to a server, and returns what had come back by the end of each step. `patienceMs`: how long an answer may be
 * on its way on a busy machine while other requests wait.
 */
export async function play(
  sequence: Sequence,
  target: Target,
  patienceMs = 0,
): Promise<readonly StepOutcome[]> {
  const player = new Player(sequence, target, patienceMs);
  try {
    const outcomes: StepOutcome[] = [];
    for (const [index, step] of sequence.steps.entries()) outcomes.push(await player.step(index, step));
    return outcomes;
  } finally {
    player.close();
  }
}

class Player implements Known {
  readonly #sequence: Sequence;
  readonly #target: Target;
  readonly #conversation: Conversation;
  readonly #prefix = `cmp-${randomUUID().slice(0, 8)}-`;
  /** Ids in the order in which the client was given them. */
  readonly #ids = new Map<string, string[]>();
  readonly #generations = new Map<string, number>();
  readonly #leads = new Map<string, boolean>();
  /** By the real name of the group: its first generation, less 1. */
  readonly #bases = new Map<string, number>();
  readonly #texts = new Map<string, string>();

  constructor(sequence: Sequence, target: Target, patienceMs: number) {
    this.#sequence = sequence;
    this.#target = target;
    this.#conversation = new Conversation(target, patienceMs);
    for (const name of Object.keys(sequence.groups)) this.#texts.set(this.group(name), `group ${name}`);
    for (const [topic, id] of target.topicIds) this.#texts.set(id, `id of ${topic}`);
    for (const text of [target.address.host, addressText(target.address)])
      this.#texts.set(text, 'the server');
  }

  group(name: string): string {
    return this.#prefix + this.#sequence.groups[name];
  }
  memberId(client: string, back: number): string {
    return this.#ids.get(client)?.at(-1 - back) ?? `unknown-${client}`;
  }
  generation(client: string, plus: number): number {
    // Who has learned none speaks of the one before the first: Quorate's groups do not begin at 1.
    const before = this.#bases.get(this.group('A')) ?? 0;
    const meant = (this.#generations.get(client) ?? before) + plus;
    // Before all generations is none, which makes a simple commit.
    return meant < before ? meant - before : meant;
  }
  leads(client: string): boolean {
    return this.#leads.get(client) ?? false;
  }
  topicId(name: string): string {
    return this.#target.topicIds.get(name) ?? '00000000-0000-4000-8000-00000000dead';
  }

  async step(index: number, step: Step): Promise<StepOutcome> {
    switch (step.kind) {
      case 'close': {
        this.#conversation.disconnect(step.client);
        for (const name of Object.keys(this.#sequence.groups))
          await this.#conversation.settle(this.group(name));
        return this.#collect();
      }
      case 'until':
        return this.#until(step);
      case 'ask':
        return this.#ask(index, step);
    }
  }
  close(): void {
    this.#conversation.close();
  }

  async #ask(index: number, step: Ask): Promise<StepOutcome> {
    const groups = [...new Set(groupsIn(step.body))].map((name) => this.group(name));
    await this.#conversation.send(
      index,
      { ...step, clientId: this.#sequence.clients[step.client] ?? step.client },
      filled(step.body, this),
    );
    if (!PARKS.has(step.api)) {
      const inTime = await this.#becomes(() => !this.#conversation.isWaiting(index));
      if (!inTime) return { ...this.#collect(), stuck: true };
    }
    let opened = true;
    for (const group of this.#conversation.waits ? groups : []) {
      await this.#conversation.settle(group);
      // Everybody waits: the barrier opens without another request, when a timer says so.
      if (!(await this.#opensByItself(group))) continue;
      opened &&= await this.#becomes(async () => !(await this.#opensByItself(group)));
      await this.#conversation.settle(group);
    }
    return opened ? this.#collect() : { ...this.#collect(), stuck: true };
  }

  async #opensByItself(group: string): Promise<boolean> {
    const joining = this.#conversation.joining().size;
    if (joining === 0) return false;
    const { state, ids } = await this.#conversation.members(group);
    return state === 'PreparingRebalance' && ids.length === joining;
  }

  async #until({ what, group: name, client }: Until): Promise<StepOutcome> {
    const group = this.group(name);
    const inTime = await this.#becomes(async () => {
      if (what === 'joined') return this.#conversation.joining().size === 0;
      const { ids } = await this.#conversation.members(group);
      return !ids.includes(this.memberId(client, 0));
    });
    await this.#conversation.settle(group);
    return inTime ? this.#collect() : { ...this.#collect(), stuck: true };
  }

  async #becomes(condition: () => boolean | Promise<boolean>): Promise<boolean> {
    const end = performance.now() + WAIT_MS;
    for (let turns = 0; !(await condition()); turns++) {
      if (performance.now() > end) return false;
      if (turns < 50) await setImmediate();
      else await sleep(POLL_MS);
    }
    return true;
  }

  #collect(): StepOutcome {
    const arrived = this.#conversation.arrived();
    for (const each of arrived) if (each.body !== CLOSED) this.#learn(each);
    const answers: Record<number, unknown> = {};
    const closed: number[] = [];
    for (const each of arrived) {
      if (each.body === CLOSED) closed.push(each.step);
      else answers[each.step] = this.#plain(each);
    }
    return closed.length > 0 ? { answers, closed } : { answers };
  }

  #learn({ step, client, api, body }: Arrived): void {
    const group = this.#groupOf(step);
    if (api === 'JoinGroup') {
      const { memberId, generationId, leader } = body as ResponseByKey[11];
      const ids = this.#ids.get(client) ?? [];
      if (memberId !== '' && !this.#texts.has(memberId) && !memberId.startsWith('unknown-')) {
        this.#ids.set(client, [...ids, memberId]);
        this.#texts.set(memberId, `${client} id ${ids.length + 1}`);
      }
      if (generationId <= 0) return;
      if (!this.#bases.has(group)) this.#bases.set(group, generationId - 1);
      this.#generations.set(client, generationId);
      this.#leads.set(client, leader === memberId);
    }
    if (api === 'DeleteGroups') {
      const { results } = body as ResponseByKey[42];
      for (const { groupId, errorCode } of results) if (errorCode === 0) this.#bases.delete(groupId);
    }
  }

  #plain({ step, api, body }: Arrived): unknown {
    const generationBase = this.#bases.get(this.#groupOf(step)) ?? 0;
    return plain(this.#ownOnly(api, body), { texts: this.#texts, generationBase });
  }
  #groupOf(step: number): string {
    const asked = this.#sequence.steps[step] as Ask;
    const [name] = groupsIn(asked.body);
    return name === undefined ? '' : this.group(name);
  }

  /** Without what other sequences made, and without the addresses and numbers of servers. */
  #ownOnly(api: string, body: unknown): unknown {
    switch (api) {
      case 'ListGroups': {
        const { errorCode, groups } = body as ResponseByKey[16];
        return { errorCode, groups: groups.filter(({ groupId }) => groupId.startsWith(this.#prefix)) };
      }
      case 'FindCoordinator': {
        const served = body as ResponseByKey[10];
        const known = ({ nodeId, host, port }: { nodeId: number; host: string; port: number }) => ({
          nodeId: nodeId >= 0 ? 'a server' : nodeId,
          host: host === '' ? '' : 'its host',
          port: port > 0 ? 'its port' : port,
        });
        return {
          ...served,
          ...known(served),
          coordinators: served.coordinators.map((each) => ({ ...each, ...known(each) })),
        };
      }
      case 'Metadata': {
        const { topics, errorCode } = body as ResponseByKey[3];
        return {
          errorCode,
          topics: topics
            .filter(({ name }) => name === null || name.startsWith('cmp-'))
            .map(({ errorCode: code, name, topicId, isInternal, partitions, topicAuthorizedOperations }) => ({
              errorCode: code,
              name,
              topicId,
              isInternal,
              partitions: partitions.map(({ errorCode: each, partitionIndex }) => ({
                errorCode: each,
                partitionIndex,
              })),
              topicAuthorizedOperations,
            })),
        };
      }
      case 'ApiVersions':
        return { errorCode: (body as ResponseByKey[18]).errorCode };
      default:
        return body;
    }
  }
}
