/** Which replicas the cluster has, and the plan of its next change: facts of shard 0. */

import { type Address, assertNever, codec, type ReplicaId } from '../kernel/index.js';

/** A replica of the cluster: the disk that it votes with, and where it is reached. */
export interface ReplicaFacts {
  readonly id: ReplicaId;
  /** Empty for one that was never heard of: its disk is noted when it has a link (`replicas.met`). */
  readonly incarnation: string;
  /** By the other replicas. */
  readonly peer: Address;
  readonly kafka: Address;
  readonly http: Address | null;
}

/** Replicas that decide together. `quorums`: a quorum system in bytes, of the room that knows what it means. */
export interface ReplicaSet {
  readonly replicas: readonly ReplicaFacts[];
  readonly quorums: Uint8Array;
}

/**
 * The next set of replicas. While it is `preparing`, they learn, and it can be called off. Once every shard has said that they
 * have caught up it is `sealing`: each shard seals its log for itself, and there is no way back but another plan.
 */
export interface ReplicaPlan extends ReplicaSet {
  readonly number: number;
  /** What the operator asked for, e.g. `replace 3`. */
  readonly what: string;
  readonly phase: 'preparing' | 'sealing';
  /** The shards that said so. */
  readonly ready: readonly number[];
  readonly sealed: readonly number[];
}

export interface ReplicasView {
  /** Of the change that led to `current`; 0 while the replicas are those that the cluster was formed with. */
  readonly number: number;
  /** Null while `number` is 0. */
  readonly current: ReplicaSet | null;
  readonly plan: ReplicaPlan | null;
  /** The highest number that any plan has had. */
  readonly lastNumber: number;
  /** Disks that have had a vote and have none any more. */
  readonly removed: readonly { readonly id: ReplicaId; readonly incarnation: string }[];
}

/** All in shard 0; feature level 5. */
export type ReplicasCommand =
  /** Begins a plan. `current`: the replicas as they are, which count when the cluster has not changed them before. */
  | {
      readonly kind: 'replicas.plan';
      /** One more than the highest so far: two plans at once are one too many. */
      readonly number: number;
      readonly what: string;
      readonly current: ReplicaSet;
      readonly target: ReplicaSet;
    }
  /** A new replica has a link: this is its disk, and where it says that it is reached. */
  | { readonly kind: 'replicas.met'; readonly number: number; readonly replica: ReplicaFacts }
  /** The leader of a shard says that the new replicas have caught up there. */
  | { readonly kind: 'replicas.ready'; readonly number: number; readonly shard: number }
  /** The leader of a shard says that it leads in the new configuration. */
  | { readonly kind: 'replicas.sealed'; readonly number: number; readonly shard: number }
  | { readonly kind: 'replicas.cancel'; readonly number: number };

export type ReplicasReply =
  | { readonly kind: 'replicas'; readonly error: 'NONE'; readonly number: number }
  | { readonly kind: 'replicas'; readonly error: ReplicasError; readonly message: string };
export type ReplicasError = 'PLAN_UNDER_WAY' | 'NO_SUCH_PLAN' | 'TOO_LATE' | 'OUT_OF_DATE';

export const NO_CHANGES: ReplicasView = { number: 0, current: null, plan: null, lastNumber: 0, removed: [] };

const REMOVED_MAX = 1_000;

const { array, branded, nullable, oneOf, string, struct, uint } = codec;
const id = branded<ReplicaId, number>()(uint);
const address = struct<Address>({ host: string, port: uint });
const replicaFacts = struct<ReplicaFacts>({
  ...{ id, incarnation: string },
  ...{ peer: address, kafka: address, http: nullable(address) },
});
const setFields = { replicas: array(replicaFacts), quorums: codec.bytes };
const replicaSet = struct<ReplicaSet>(setFields);
const shards = array(uint);
const replicaPlan = struct<ReplicaPlan>({
  ...setFields,
  ...{ number: uint, what: string, phase: oneOf('preparing', 'sealing') },
  ...{ ready: shards, sealed: shards },
});
export const replicasCodec = struct<ReplicasView>({
  ...{ number: uint, current: nullable(replicaSet), plan: nullable(replicaPlan), lastNumber: uint },
  removed: array(struct({ id, incarnation: string })),
});
const ofShard = struct({ number: uint, shard: uint });
export const replicasCommandCodec = codec.union<ReplicasCommand>({
  'replicas.plan': {
    tag: 1,
    codec: struct({ number: uint, what: string, current: replicaSet, target: replicaSet }),
  },
  'replicas.met': { tag: 2, codec: struct({ number: uint, replica: replicaFacts }) },
  'replicas.ready': { tag: 3, codec: ofShard },
  'replicas.sealed': { tag: 4, codec: ofShard },
  'replicas.cancel': { tag: 5, codec: struct({ number: uint }) },
});

export const replicasBytes = (view: ReplicasView): Buffer => codec.encode(replicasCodec, view);

export interface ReplicasChange {
  readonly view: ReplicasView;
  readonly reply: ReplicasReply;
}

/** `shardCount`: every one of them seals for itself. */
export function changeReplicas(
  view: ReplicasView,
  command: ReplicasCommand,
  shardCount: number,
): ReplicasChange {
  if (command.kind === 'replicas.plan') return begin(view, command);
  const { plan } = view;
  const { number } = command;
  if (plan?.number !== number) {
    // Said again, after it had its effect: a report may come twice.
    if (command.kind === 'replicas.sealed' && view.number >= number) return done(view, number);
    return refused(view, 'NO_SUCH_PLAN', `plan ${number} is not under way`);
  }
  switch (command.kind) {
    case 'replicas.met':
      return met(view, plan, command);
    case 'replicas.ready': {
      const next = { ...plan, ready: withShard(plan.ready, command.shard, shardCount) };
      const phase = next.ready.length === shardCount ? 'sealing' : plan.phase;
      return done({ ...view, plan: { ...next, phase } }, number);
    }
    case 'replicas.sealed': {
      if (plan.phase !== 'sealing') return refused(view, 'OUT_OF_DATE', `plan ${number} does not seal yet`);
      const sealed = withShard(plan.sealed, command.shard, shardCount);
      if (sealed.length < shardCount) return done({ ...view, plan: { ...plan, sealed } }, number);
      return done(ended(view, plan), number);
    }
    case 'replicas.cancel':
      if (plan.phase === 'sealing')
        return refused(
          view,
          'TOO_LATE',
          `plan ${number} (${plan.what}) is sealing the logs: it ends by itself`,
        );
      return done({ ...view, plan: null }, number);
    default:
      return assertNever(command);
  }
}

function begin(
  view: ReplicasView,
  { number, what, current, target }: Extract<ReplicasCommand, { kind: 'replicas.plan' }>,
): ReplicasChange {
  if (view.plan !== null)
    return refused(
      view,
      'PLAN_UNDER_WAY',
      `plan ${view.plan.number} (${view.plan.what}) is under way: wait until it ends, or call it off`,
    );
  if (number !== view.lastNumber + 1)
    return refused(view, 'OUT_OF_DATE', 'another plan came before this one: look again');
  const plan: ReplicaPlan = { ...target, number, what, phase: 'preparing', ready: [], sealed: [] };
  return done({ ...view, current: view.current ?? current, plan, lastNumber: number }, number);
}

function met(
  view: ReplicasView,
  plan: ReplicaPlan,
  { replica: found }: Extract<ReplicasCommand, { kind: 'replicas.met' }>,
): ReplicasChange {
  const known = plan.replicas.find((replica) => replica.id === found.id);
  if (known === undefined || known.incarnation === found.incarnation) return done(view, plan.number);
  if (known.incarnation !== '')
    return refused(
      view,
      'TOO_LATE',
      `plan ${plan.number} knows another data directory of replica ${found.id}`,
    );
  const replicas = plan.replicas.map((replica) => (replica.id === found.id ? found : replica));
  return done({ ...view, plan: { ...plan, replicas } }, plan.number);
}

/** Every shard decides with the new replicas. */
function ended(view: ReplicasView, plan: ReplicaPlan): ReplicasView {
  const { replicas, quorums, number } = plan;
  const stays = new Set(replicas.map((replica) => `${replica.id} ${replica.incarnation}`));
  const gone = view.current!.replicas.filter((replica) => !stays.has(`${replica.id} ${replica.incarnation}`));
  const removed = [...view.removed, ...gone.map(({ id: who, incarnation }) => ({ id: who, incarnation }))];
  return {
    ...{ number, current: { replicas, quorums }, plan: null },
    lastNumber: view.lastNumber,
    removed: removed.slice(-REMOVED_MAX),
  };
}

function withShard(known: readonly number[], shard: number, shardCount: number): readonly number[] {
  return known.includes(shard) || shard >= shardCount ? known : [...known, shard].sort((a, b) => a - b);
}

const done = (view: ReplicasView, number: number): ReplicasChange => ({
  view,
  reply: { kind: 'replicas', error: 'NONE', number },
});
const refused = (view: ReplicasView, error: ReplicasError, message: string): ReplicasChange => ({
  view,
  reply: { kind: 'replicas', error, message },
});
