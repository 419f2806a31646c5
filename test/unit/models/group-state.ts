import { fenceToken, generation, groupId, type GroupId, wallMs } from '../../../src/kernel/index.js';
import { Roster } from '../../../src/groups/classic/roster.js';
import type { ClassicGroup } from '../../../src/groups/classic/state.js';
import { Fences } from '../../../src/groups/fences.js';
import { ShardGroups } from '../../../src/groups/groups.js';
import { restoreGroups, snapshotGroups, type Timer } from '../../../src/groups/index.js';
import { canonical } from './canonical.js';

const NOTHING = new Set<string>();
export const GROUP = groupId('g');
export const TOPIC = 't';
export const AT = wallMs(1_000_000);
/** The generation of a group that has one: states that differ in the number alone are one state. */
const GENERATION = 10;
/** A process that knows what it was told. */
export interface Client {
  /** '' before it has one. */
  readonly id: string;
  /** Its JoinGroup or SyncGroup waits at the coordinator, under this id; '' when none does. */
  readonly waitsAs: string;
  readonly leads: boolean;
  /** GENERATION for the present one, one less for any before, -1 for none. */
  readonly generation: number;
  /** What it was given in its generation; undefined before it was given anything. */
  readonly owns: readonly number[] | undefined;
}

export interface Node {
  /** Never changed: a command goes to a copy. */
  readonly groups: ShardGroups;
  readonly clients: readonly Client[];
  /** The highest token of each partition so far, and its owner. */
  readonly tokens: readonly { readonly owner: string; readonly token: number }[];
}

export const FORGOTTEN: Client = { id: '', waitsAs: '', leads: false, generation: -1, owns: undefined };

export const timerName = (timer: Timer): string =>
  'member' in timer ? `${timer.kind} ${timer.member}` : timer.kind;

export function must(holds: boolean, says: string): asserts holds {
  if (!holds) throw new Error(says);
}

export function throughBytes(groups: ShardGroups): ShardGroups {
  const restored = restoreGroups(Buffer.concat([...snapshotGroups(groups)]));
  if (!(restored instanceof ShardGroups)) throw new TypeError('restoreGroups returns ShardGroups');
  return restored;
}

export function copyOf({ state: { groups, ...rest } }: ShardGroups): ShardGroups {
  const copies = [...groups].map(([id, group]): [GroupId, ClassicGroup] => {
    const copy: ClassicGroup = {
      ...group,
      members: new Roster(),
      fences: new Fences(),
      staticMembers: new Map(group.staticMembers),
      pending: new Map(group.pending),
      timers: new Map(group.timers),
    };
    for (const member of group.members.values()) copy.members.add({ ...member });
    copy.fences.restore(group.fences.all());
    return [id, copy];
  });
  return new ShardGroups({ ...rest, groups: new Map(copies) });
}

/** Numbers that only grow are replaced by their order; time stands still. */
export function canonicalNode(groups: ShardGroups, clients: readonly Client[], tokens: Node['tokens']): Node {
  const group = groups.state.groups.get(GROUP);
  const current = group?.generation ?? 0;
  const ranks = [...new Set(tokens.map(({ token }) => token))].sort((a, b) => a - b);
  const rank = (token: number): number => (ranks[0] === 0 ? ranks.indexOf(token) : ranks.indexOf(token) + 1);
  if (group !== undefined) {
    group.history = [];
    if (current > 0) group.generation = generation(GENERATION);
    for (const member of group.members.values()) member.sessionToken = 0;
    for (const [id, { timeoutMs }] of group.pending) group.pending.set(id, { timeoutMs, token: 0 });
    const timers = [...group.timers].sort(([a], [b]) => (a < b ? -1 : 1));
    group.timers.clear();
    for (const [kind, { afterMs }] of timers) group.timers.set(kind, { token: 0, afterMs });
    const grants = [...group.fences.all()].sort((a, b) => (a.scope < b.scope ? -1 : 1));
    group.fences.clear();
    group.fences.restore(
      grants.map((grant) => ({
        ...grant,
        token: fenceToken(rank(Number(grant.token))),
        generation: generation(0),
      })),
    );
  }
  return {
    groups,
    clients: clients.map((client) => {
      if (client.generation === current && current > 0) return { ...client, generation: GENERATION };
      return client.generation < 0 ? client : { ...client, generation: GENERATION - 1, owns: undefined };
    }),
    tokens: tokens.map(({ owner, token }) => ({ owner, token: rank(token) })),
  };
}

/** The members in their order: the first one leads. */
export function keyOf({ groups, clients, tokens }: Node): string {
  const parts = [...groups.state.groups.values()].map((group) => [
    { ...group, members: [...group.members.values()], fences: group.fences.all(), offsets: '' },
    [...group.pending.keys()],
  ]);
  return canonical([parts, clients, tokens], NOTHING);
}
