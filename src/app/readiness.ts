import type { Replica } from '../replica/index.js';

/** Why a replica may not take clients yet, each as a sentence part; empty when it may. */
export function unreadyReasons(replica: Replica): string[] {
  const { standing, formed, missing, shards, diskStalls } = replica.status();
  const reasons: string[] = [];
  if (standing === 'forming')
    reasons.push(
      formed
        ? `it waits for a quorum of its peers after a restart: replica ${missing.join(', ')} has not been reached yet`
        : `the cluster has not formed: replica ${missing.join(', ')} has not been reached yet`,
    );
  const { view, up } = replica.replicas();
  if (view.removed.some(({ id, incarnation }) => id === replica.self && up.get(id) === incarnation))
    reasons.push('it was removed from the cluster: stop it, and remove its data directory');
  if (diskStalls) reasons.push('its disk finishes no write');
  const leaderless = shards
    .filter(({ leadership }) => leadership.leader === undefined)
    .map(({ shard }) => shard);
  if (leaderless.length > 0) reasons.push(`no leader is known for shard ${leaderless.join(', ')}`);
  const behind = shards
    .filter(({ appliedThrough, chosenThrough }) => appliedThrough < chosenThrough)
    .map(({ shard }) => shard);
  if (behind.length > 0) reasons.push(`shard ${behind.join(', ')} has not applied all that is chosen`);
  return reasons;
}

/** True from the moment when all that the peers had chosen when this replica first knew all leaders is applied here. */
export class CatchUpGoal {
  readonly #replica: Replica;
  #goal: readonly number[] | undefined;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Ask only when every shard has a leader. */
  reached(): boolean {
    const { shards } = this.#replica.status();
    this.#goal ??= shards.map(({ peers }) => Math.max(0, ...peers.map((peer) => peer.chosenThrough)));
    return shards.every(({ appliedThrough }, index) => appliedThrough >= this.#goal![index]!);
  }
}
