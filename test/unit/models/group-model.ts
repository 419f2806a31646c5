import { generation, instanceId, memberId, slot } from '../../../src/kernel/index.js';
import { ShardGroups } from '../../../src/groups/groups.js';
import { DEFAULT_GROUP_SETTINGS, type GroupCommand, type Timer } from '../../../src/groups/index.js';
import { encodeAssignment, encodeSubscription } from '../../harness/consumer-protocol.js';
import { checkOwners, checkTimers, checkTokens, listen } from './group-checks.js';
import {
  AT,
  canonicalNode,
  type Client,
  copyOf,
  FORGOTTEN,
  GROUP,
  keyOf,
  must,
  type Node,
  throughBytes,
  timerName,
  TOPIC,
} from './group-state.js';

const DEALS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[0], [1]],
  [[1], [0]],
  [[0, 1], []],
  [[], [0, 1]],
];

export interface GroupBounds {
  /** The second client has an instance id: a new process of it takes over from the old one. Otherwise KIP-394 gives it its id. */
  readonly staticMember: boolean;
  readonly depth: number;
}

/** A planted bug: changes the state after a command. */
export interface GroupPlant {
  readonly name: string;
  after(groups: ShardGroups, command: GroupCommand, before: ShardGroups): void;
}

interface Move {
  readonly label: string;
  readonly command: GroupCommand | undefined;
  /** Which client hears the reply. */
  readonly sender?: number;
  /** What the clients know when the command is under way. */
  readonly clients: readonly Client[];
  /** Another replica leads, which has the groups from a snapshot. */
  readonly failsOver?: boolean;
}

export interface GroupReport {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** No state is left behind the depth. */
  readonly complete: boolean;
  readonly violation: { readonly says: string; readonly trace: readonly string[] } | undefined;
}

/** Every state that a group of two clients and two partitions can reach, breadth first, over the production machine. */
export class GroupModel {
  readonly #nodes: Node[] = [];
  readonly #from: { readonly node: number; readonly label: string }[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #answered = new Set<string>();
  readonly #emptied = new Set<string>();
  #transitions = 0;

  constructor(
    readonly bounds: GroupBounds,
    readonly plant?: GroupPlant,
  ) {}

  explore(progress?: (states: number, depth: number) => void): GroupReport {
    const first: Node = {
      groups: new ShardGroups({ groups: new Map(), generationFloor: generation(0), tokensFrom: 0 }),
      clients: [FORGOTTEN, FORGOTTEN],
      tokens: [0, 1].map(() => ({ owner: '', token: 0 })),
    };
    this.#add(first, -1, '');
    let depth = 0;
    let at = 0;
    let violation: GroupReport['violation'];
    for (; depth < this.bounds.depth && at < this.#nodes.length && violation === undefined; depth++) {
      progress?.(this.#nodes.length, depth);
      for (const end = this.#nodes.length; at < end && violation === undefined; at++) {
        try {
          for (const move of this.#moves(this.#nodes[at]!))
            this.#add(this.#make(this.#nodes[at]!, move), at, move.label);
          this.#mustEnd(this.#nodes[at]!);
        } catch (error) {
          violation = { says: (error as Error).message, trace: this.#trace(at) };
        }
      }
    }
    const complete = violation === undefined && at === this.#nodes.length;
    return { states: this.#nodes.length, transitions: this.#transitions, depth, complete, violation };
  }

  #add(node: Node, from: number, label: string): void {
    const key = keyOf(node);
    if (this.#numbers.has(key)) return;
    this.#numbers.set(key, this.#nodes.length);
    this.#nodes.push(node);
    this.#from.push({ node: from, label });
  }

  // ---- what may happen ----

  *#moves(node: Node): Iterable<Move> {
    const { groups, clients } = node;
    for (const [i, client] of clients.entries()) {
      const name = `client ${i + 1}`;
      const become = (next: Client): readonly Client[] => clients.with(i, next);
      if (client.waitsAs !== '') {
        yield {
          label: `${name} loses its connection`,
          command: undefined,
          clients: become({ ...client, waitsAs: '' }),
        };
      } else {
        yield* this.#requests(groups, node, i);
      }
      if (client.id !== '' || client.waitsAs !== '')
        yield { label: `${name} is killed`, command: undefined, clients: become(FORGOTTEN) };
    }
    if (clients.some(({ waitsAs }) => waitsAs !== ''))
      yield {
        label: 'another replica leads: what waited is lost',
        command: undefined,
        failsOver: true,
        clients: clients.map((client) => ({ ...client, waitsAs: '' })),
      };
    for (const move of timerMoves(groups, clients)) yield move;
  }

  *#requests(groups: ShardGroups, { clients }: Node, i: number): Iterable<Move> {
    const client = clients[i]!;
    const name = `client ${i + 1}`;
    const become = (next: Client): readonly Client[] => clients.with(i, next);
    const joins = this.#join(groups, i, client);
    // Eager: it stops its work before it joins.
    if (joins !== undefined)
      yield {
        label: `${name} joins${client.id === '' ? '' : ` as ${client.id}`}`,
        command: joins,
        clients: become({ ...client, leads: false, generation: -1, owns: undefined }),
        sender: i,
      };
    if (client.id === '') return;
    yield { label: `${name} leaves`, command: this.#leave(i, client), clients: become(FORGOTTEN) };
    if (client.generation < 0) return;
    const members = groups.describe(GROUP)?.memberDetails.map((member) => member.memberId) ?? [];
    const deals = client.leads ? (members.length === 1 ? [DEALS[2]!] : DEALS) : [undefined];
    for (const deal of deals) {
      const assignments =
        deal === undefined ? [] : members.slice(0, 2).map((id, at) => [id, deal[at]!] as const);
      yield {
        label: `${name} syncs${deal === undefined ? '' : ` with ${JSON.stringify(deal)}`}`,
        command: this.#sync(i, client, assignments),
        clients,
        sender: i,
      };
    }
  }

  #instance(i: number) {
    return i === 1 && this.bounds.staticMember ? instanceId('i') : null;
  }

  /** Undefined while both ids that it may have are in the group. */
  #join(groups: ShardGroups, i: number, client: Client): GroupCommand | undefined {
    const group = groups.state.groups.get(GROUP);
    const names = ['ab', 'xy'][i]!.split('').map((letter) => memberId(letter));
    const free = names.find((id) => group?.members.has(id) !== true && group?.pending.has(id) !== true);
    if (client.id === '' && free === undefined) return undefined;
    return {
      kind: 'group.join',
      group: GROUP,
      memberId: memberId(client.id),
      newMemberId: free ?? memberId('none'),
      instanceId: this.#instance(i),
      clientId: 'c',
      clientHost: '/',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: encodeSubscription([TOPIC]) }],
      memberIdRequired: i === 1,
      canSkipAssignment: false,
      reason: null,
      resuming: false,
      settings: { ...DEFAULT_GROUP_SETTINGS, rebalanceRecordsMax: 1 },
    };
  }

  #leave(i: number, { id }: Client): GroupCommand {
    return {
      kind: 'group.leave',
      group: GROUP,
      members: [{ memberId: memberId(id), instanceId: this.#instance(i), reason: null }],
    };
  }

  #sync(i: number, client: Client, deal: readonly (readonly [string, readonly number[]])[]): GroupCommand {
    return {
      kind: 'group.sync',
      group: GROUP,
      generation: generation(client.generation),
      memberId: memberId(client.id),
      instanceId: this.#instance(i),
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: deal.map(([id, partitions]) => ({
        memberId: memberId(id),
        assignment: encodeAssignment({ [TOPIC]: partitions }),
      })),
    };
  }

  // ---- what comes of it ----

  #make(node: Node, { command, clients, sender, failsOver }: Move): Node {
    this.#transitions++;
    if (failsOver === true) return canonicalNode(throughBytes(node.groups), clients, node.tokens);
    if (command === undefined) return { ...node, clients };
    const groups = copyOf(node.groups);
    const next = Math.max(...node.tokens.map(({ token }) => token)) + 1;
    const outcome = groups.apply(command, { slot: slot(next), at: AT });
    this.plant?.after(groups, command, node.groups);
    checkTimers(node.groups, groups, outcome);
    const told = listen(clients, outcome, sender);
    checkOwners(groups, told);
    return canonicalNode(groups, told, checkTokens(groups, node.tokens));
  }

  /**
   * No state is a dead end: timers alone answer whoever waits, even where members send heartbeats and nothing else, so that
   * their sessions never end. And where nobody sends anything, timers alone remove all members.
   */
  #mustEnd(from: Node): void {
    this.#run(from, this.#answered, ({ kind }) => kind !== 'session');
    this.#run(from, this.#emptied, () => true);
  }

  /** `known`: states from which it ends well. */
  #run(from: Node, known: Set<string>, passes: (timer: Timer) => boolean): void {
    const path: string[] = [];
    let node = from;
    const timers = (): readonly Move[] => timerMoves(node.groups, node.clients, passes);
    for (let round = 0; !known.has(keyOf(node)); round++) {
      path.push(keyOf(node));
      const waits = node.clients.some(({ waitsAs }) => waitsAs !== '');
      const { state } = node.groups.describe(GROUP) ?? { state: 'Empty' };
      if (!waits && (known === this.#answered || state === 'Empty')) break;
      const moves = timers();
      must(
        moves.length > 0,
        `the group is ${state}, ${waits ? 'a client waits, ' : ''}and no timer ends that`,
      );
      must(
        round < 20,
        `${moves.map(({ label }) => label).join(', ')}: again and again, and the group stays ${state}`,
      );
      for (const { label } of moves) {
        // Unless one before it has cancelled it.
        const move = timers().find((other) => other.label === label);
        if (move !== undefined) node = this.#make(node, move);
      }
    }
    for (const key of path) known.add(key);
  }

  #trace(at: number): readonly string[] {
    const lines: string[] = [];
    for (let node = at; node > 0; node = this.#from[node]!.node) lines.push(this.#from[node]!.label);
    return lines.reverse();
  }
}

function timerMoves(
  groups: ShardGroups,
  clients: readonly Client[],
  passes: (timer: Timer) => boolean = () => true,
): readonly Move[] {
  return groups
    .timers()
    .filter(({ timer }) => passes(timer))
    .map(({ timer, token }) => ({
      label: `the timer "${timerName(timer)}" passes`,
      command: { kind: 'group.expire', group: GROUP, timer, token },
      clients,
    }));
}
