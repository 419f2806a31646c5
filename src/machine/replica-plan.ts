/** Which replicas the cluster has, and the plan of its next change: facts of shard 0. */

import { type Address, assertNever, codec, type ReplicaId, type WallMs } from '../kernel/index.js';

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

/** What versions before feature level 7 know of a plan. */
interface FirstPlan extends ReplicaSet {
  readonly number: number;
  /** What the operator asked for, e.g. `replace 3`. */
  readonly what: string;
  readonly phase: 'preparing' | 'sealing';
  /** The shards that said so. */
  readonly ready: readonly number[];
  readonly sealed: readonly number[];
}

interface PlanDetails {
  /** When it was begun, by the time of the cluster; null where an older version kept it. */
  readonly since: number | null;
  /** Replicas of plans that this one took the place of while they sealed: some shards may be decided by them. */
  readonly further: readonly ReplicaFacts[];
  /** In which configuration each shard was when it was ready: it seals once more. Of a plan in the place of another. */
  readonly readyIn: readonly ShardConfiguration[];
}

export interface ShardConfiguration {
  readonly shard: number;
  readonly configuration: number;
}

/**
 * The next set of replicas. While it is `preparing`, they learn, and it can be called off. Once every shard has said that they
 * have caught up it is `sealing`: each shard seals its log for itself, and there is no way back but another plan in its place.
 */
export interface ReplicaPlan extends FirstPlan, PlanDetails {
  /** While it prepares: the plan that seals, whose place it is to take. Called off, it gives the place back. */
  readonly over: ReplicaPlan | null;
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

/** All in shard 0; feature level 5, and 7 where it is said. */
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
  /** Begins a plan in the place of one that seals (`over`). Feature level 7. */
  | {
      readonly kind: 'replicas.supersede';
      readonly over: number;
      readonly number: number;
      readonly what: string;
      readonly target: ReplicaSet;
    }
  /** The same as `replicas.ready`, for a plan in the place of another. Feature level 7. */
  | {
      readonly kind: 'replicas.readyIn';
      readonly number: number;
      readonly shard: number;
      readonly configuration: number;
    }
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
const firstPlanFields = {
  ...setFields,
  ...{ number: uint, what: string, phase: oneOf('preparing', 'sealing') },
  ...{ ready: shards, sealed: shards },
};
const detailFields = {
  ...{ since: nullable(uint), further: array(replicaFacts) },
  readyIn: array(struct<ShardConfiguration>({ shard: uint, configuration: uint })),
};
const firstPlan = struct<FirstPlan>(firstPlanFields);
const planOver = struct<FirstPlan & PlanDetails>({ ...firstPlanFields, ...detailFields });
const firstView = struct<Omit<ReplicasView, 'plan'> & { readonly plan: FirstPlan | null }>({
  ...{ number: uint, current: nullable(replicaSet), plan: nullable(firstPlan), lastNumber: uint },
  removed: array(struct({ id, incarnation: string })),
});
/** What versions before feature level 7 read: without what it has of a plan beyond that. */
export const firstReplicasCodec: codec.Codec<ReplicasView> = {
  write: (w, view) => firstView.write(w, view),
  read: (r) => {
    const view = firstView.read(r);
    const details = { since: null, further: [], readyIn: [], over: null };
    return { ...view, plan: view.plan && { ...view.plan, ...details } };
  },
};
const planDetails = struct<PlanDetails & { readonly over: (FirstPlan & PlanDetails) | null }>({
  ...detailFields,
  over: nullable(planOver),
});
export const replicasCodec: codec.Codec<ReplicasView> = {
  write: (w, view) => {
    firstView.write(w, view);
    if (view.plan !== null) planDetails.write(w, view.plan);
  },
  read: (r) => {
    const view = firstView.read(r);
    if (view.plan === null) return { ...view, plan: null };
    const { over, ...details } = planDetails.read(r);
    return { ...view, plan: { ...view.plan, ...details, over: over && { ...over, over: null } } };
  },
};
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
  'replicas.supersede': {
    tag: 6,
    codec: struct({ over: uint, number: uint, what: string, target: replicaSet }),
  },
  'replicas.readyIn': { tag: 7, codec: struct({ number: uint, shard: uint, configuration: uint }) },
});

/** Whether there is something that versions before feature level 7 cannot keep. */
export const supersedes = ({ plan }: ReplicasView): boolean =>
  plan !== null && (plan.over !== null || plan.further.length > 0 || plan.readyIn.length > 0);

/** For the hash of what was applied: the same on every replica, also where an older version kept the plan for a while. */
export function replicasBytes(view: ReplicasView): Buffer {
  if (!supersedes(view)) return codec.encode(firstReplicasCodec, view);
  const { over } = view.plan!;
  const plan = { ...view.plan!, since: null, over: over && { ...over, since: null } };
  return codec.encode(replicasCodec, { ...view, plan });
}

/** Who may decide in a shard or is to, beside the replicas of the cluster. */
export function plannedReplicas({ plan }: Pick<ReplicasView, 'plan'>): readonly ReplicaFacts[] {
  if (plan === null) return [];
  return [...plan.replicas, ...(plan.over?.replicas ?? []), ...(plan.over?.further ?? []), ...plan.further];
}

export interface ReplicasChange {
  readonly view: ReplicasView;
  readonly reply: ReplicasReply;
}

/** `shards`: how many there are; every one of them seals for itself. */
export function changeReplicas(
  view: ReplicasView,
  command: ReplicasCommand,
  { shards: shardCount, at }: { readonly shards: number; readonly at: WallMs },
): ReplicasChange {
  if (command.kind === 'replicas.plan') return begin(view, command, at);
  if (command.kind === 'replicas.supersede') return supersede(view, command, at);
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
    case 'replicas.ready':
      if (plan.over !== null)
        return refused(view, 'OUT_OF_DATE', `plan ${number} is in the place of another one`);
      return done({ ...view, plan: ready(view, plan, command.shard, shardCount) }, number);
    case 'replicas.readyIn': {
      const { shard, configuration } = command;
      const isNew = plan.phase === 'preparing' && !plan.readyIn.some((each) => each.shard === shard);
      const readyIn = isNew ? [...plan.readyIn, { shard, configuration }] : plan.readyIn;
      return done({ ...view, plan: ready(view, { ...plan, readyIn }, shard, shardCount) }, number);
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
          `plan ${number} (${plan.what}) is sealing the logs, and ${plan.sealed.length} of ${shardCount} shards say that they have changed: it ends by itself, and only another plan in its place leads elsewhere`,
        );
      return done({ ...view, plan: plan.over }, number);
    default:
      return assertNever(command);
  }
}

function begin(
  view: ReplicasView,
  { number, what, current, target }: Extract<ReplicasCommand, { kind: 'replicas.plan' }>,
  at: WallMs,
): ReplicasChange {
  if (view.plan !== null)
    return refused(
      view,
      'PLAN_UNDER_WAY',
      `plan ${view.plan.number} (${view.plan.what}) is under way: wait until it ends, or call it off`,
    );
  if (number !== view.lastNumber + 1)
    return refused(view, 'OUT_OF_DATE', 'another plan came before this one: look again');
  const plan = planned({ ...target, number, what, since: Math.floor(at), over: null });
  return done({ ...view, current: view.current ?? current, plan, lastNumber: number }, number);
}

const planned = (
  known: ReplicaSet & Pick<ReplicaPlan, 'number' | 'what' | 'since' | 'over'>,
): ReplicaPlan => ({ ...known, phase: 'preparing', ready: [], sealed: [], further: [], readyIn: [] });

/**
 * A shard that has sealed cannot go back, and each other one may have a seal under way; but all can go on to other replicas. Until
 * those have caught up in every shard nothing has changed, and the plan before can have its place back.
 */
function supersede(
  view: ReplicasView,
  { over, number, what, target }: Extract<ReplicasCommand, { kind: 'replicas.supersede' }>,
  at: WallMs,
): ReplicasChange {
  const { plan } = view;
  if (plan?.number !== over) return refused(view, 'NO_SUCH_PLAN', `plan ${over} is not under way`);
  if (plan.phase !== 'sealing')
    return refused(view, 'OUT_OF_DATE', `plan ${over} (${plan.what}) does not seal yet: call it off`);
  if (number !== view.lastNumber + 1)
    return refused(view, 'OUT_OF_DATE', 'another plan came before this one: look again');
  return done(
    {
      ...view,
      plan: planned({ ...target, number, what, since: Math.floor(at), over: { ...plan, over: null } }),
      lastNumber: number,
    },
    number,
  );
}

/** The plan once a shard is ready for it; with the last one it seals, and nothing gives the place back to the one before. */
function ready(view: ReplicasView, plan: ReplicaPlan, shard: number, shardCount: number): ReplicaPlan {
  const next = { ...plan, ready: withShard(plan.ready, shard, shardCount) };
  if (plan.phase === 'sealing' || next.ready.length < shardCount) return next;
  const known = new Set([...view.current!.replicas, ...plan.replicas].map(diskOf));
  const before = plan.over === null ? [] : [...plan.over.replicas, ...plan.over.further];
  const further = before.filter((each) => !known.has(diskOf(each)) && known.add(diskOf(each)));
  return { ...next, phase: 'sealing', over: null, further };
}

const diskOf = ({ id: who, incarnation }: ReplicaFacts): string => `${who} ${incarnation}`;

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
  const stays = new Set(replicas.map(diskOf));
  const gone = [...view.current!.replicas, ...plan.further].filter((each) => !stays.has(diskOf(each)));
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
