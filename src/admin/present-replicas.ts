/** The replicas of the cluster, and the plan to change them, as JSON. */

import { addressText, type ReplicaId } from '../kernel/index.js';
import type { ReplicaFacts, ReplicaPlan } from '../machine/index.js';
import type { Planned } from '../replica/index.js';
import type { AdminSource } from './port.js';
import type { ChangeJson, ReplicaJson, ReplicaPlanJson, ReplicasJson } from './shapes.js';

export function replicas(source: AdminSource): ReplicasJson {
  const { view, current, up, voters, waits } = source.replicas();
  const { shards, quorums } = source.status();
  const leads = (id: ReplicaId): number => shards.filter(({ leadership }) => leadership.leader === id).length;
  const behind = (id: ReplicaId): number | null => {
    if (!up.has(id)) return null;
    if (id === source.self) return Math.max(0, ...shards.map(lagHere));
    return shards.reduce((all, { peers, learners, chosenThrough }) => {
      const known = [...peers, ...learners].find((each) => each.id === id);
      return all + Math.max(0, chosenThrough - (known?.chosenThrough ?? 0));
    }, 0);
  };
  const json = (each: ReplicaFacts): ReplicaJson => ({
    id: each.id,
    disk: each.incarnation,
    peers: addressText(each.peer),
    kafka: addressText(each.kafka),
    http: each.http === null ? null : addressText(each.http),
    up: up.has(each.id),
    votes: voters.has(each.id),
    otherDisk: up.has(each.id) && each.incarnation !== '' && up.get(each.id) !== each.incarnation,
    leads: leads(each.id),
    entriesBehind: behind(each.id),
  });
  const { plan } = view;
  const over = plan?.over ?? null;
  return {
    seenBy: source.self,
    number: view.number,
    quorums,
    replicas: current.map(json),
    plan:
      plan === null
        ? null
        : {
            number: plan.number,
            what: plan.what,
            phase: plan.phase,
            since: sinceText(plan),
            instead: over && { number: over.number, what: over.what },
            shards: source.shards,
            ready: plan.ready.length,
            sealed: plan.sealed.length,
            replicas: plan.replicas.map(json),
            waits: [...waits].map(([shard, reason]) => ({ shard, reason })),
          },
    lastNumber: view.lastNumber,
    removed: view.removed.map(({ id, incarnation }) => ({ id, disk: incarnation })),
  };
}

export function changeUnderWay(source: AdminSource): ChangeJson | null {
  const { view, waits } = source.replicas();
  if (view.plan === null) return null;
  const { number, what, phase, ready, sealed } = view.plan;
  return {
    ...{
      number,
      what,
      phase,
      since: sinceText(view.plan),
      ready: ready.length,
      sealed: sealed.length,
      shards: source.shards,
    },
    waits: [...new Set(waits.values())],
  };
}

const sinceText = ({ since }: Pick<ReplicaPlan, 'since'>): string | null =>
  since === null ? null : new Date(since).toISOString();

/** Whether the data directory of this replica had a vote and has none any more. */
export function wasRemoved(source: AdminSource): boolean {
  const { view, up } = source.replicas();
  return view.removed.some(({ id, incarnation }) => id === source.self && up.get(id) === incarnation);
}

const lagHere = ({
  chosenThrough,
  appliedThrough,
}: {
  chosenThrough: number;
  appliedThrough: number;
}): number => chosenThrough - appliedThrough;

export function plan(source: AdminSource, planned: Exclude<Planned, { problem: string }>): ReplicaPlanJson {
  const { command, from, notes, quorums } = planned;
  const { number, what, target } = command;
  const { up, voters } = source.replicas();
  const leads = source
    .status()
    .shards.filter(
      ({ leadership: { leader } }) =>
        leader !== undefined && !target.replicas.some(({ id }) => id === leader),
    )
    .map(({ shard }) => shard);
  return {
    number,
    what,
    executed: false,
    from: from.map(({ id }) => id),
    to: target.replicas.map(({ id }) => id),
    quorums,
    learns: target.replicas
      .filter(
        ({ id, incarnation }) => !from.some((each) => each.id === id && each.incarnation === incarnation),
      )
      .map(({ id }) => ({ id, up: up.has(id), votes: voters.has(id) })),
    movesShards: leads,
    notes,
  };
}
