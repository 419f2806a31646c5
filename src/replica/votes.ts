import type { Log, ReplicaId } from '../kernel/index.js';
import { isFullQuorum, type QuorumSystem } from '../paxos/index.js';
import type { Standing } from './formation.js';
import type { Members } from './members.js';
import type { ReplicaOptions, Votes } from './options.js';
import type { Peers } from './peers.js';
import type { ShardHost } from './shard-host.js';

type Quorums = Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>;

/**
 * How many of these replicas may fail, whichever they are, before the cluster stops; -1 when it stands still now. Without a
 * failure a leader needs its accept quorum alone; the one that fails may be a leader, and then those that are left must
 * elect another one. `led`: each shard has a leader.
 */
export function failuresTolerated(
  voters: ReadonlySet<ReplicaId>,
  quorums: Quorums,
  { led }: { readonly led: boolean },
): number {
  const goesOn = led ? quorums.isAcceptQuorum(voters) : isFullQuorum(quorums, voters);
  if (!goesOn) return -1;
  let left: readonly ReadonlySet<ReplicaId>[] = [voters];
  for (let failed = 1; failed <= voters.size; failed++) {
    left = withoutOne(left);
    if (!left.every((ids) => isFullQuorum(quorums, ids))) return failed - 1;
  }
  return voters.size;
}

/** Those of which none may fail: without any one of them no quorum is left. `voters` have one now. */
export function neededVoters(voters: ReadonlySet<ReplicaId>, quorums: Quorums): readonly ReplicaId[] {
  return [...voters].filter(
    (id) => !isFullQuorum(quorums, new Set([...voters].filter((other) => other !== id))),
  );
}

/** Each set less one of its replicas, each once. */
function withoutOne(sets: readonly ReadonlySet<ReplicaId>[]): readonly ReadonlySet<ReplicaId>[] {
  const smaller = new Map<string, ReadonlySet<ReplicaId>>();
  for (const ids of sets)
    for (const gone of ids) {
      const rest = [...ids].filter((id) => id !== gone);
      smaller.set(rest.join(), new Set(rest));
    }
  return [...smaller.values()];
}

/** Which replicas vote, as this one sees it; a leader says in the log when that changes. */
export class VoteWatch {
  readonly #self: ReplicaId;
  readonly #members: Members;
  readonly #peers: Peers;
  readonly #log: Log;
  #max: { readonly of: QuorumSystem; readonly failures: number } | undefined;
  #told = '';
  #level: number | undefined;

  constructor({ self, log }: ReplicaOptions, peers: Peers, members: Members) {
    this.#self = self;
    this.#members = members;
    this.#peers = peers;
    this.#log = log;
  }

  of(standing: Standing['kind'], hosts: readonly ShardHost[]): Votes {
    const said = new Map(hosts[0]?.status().peers.map(({ id, votes }) => [id, votes]));
    const peers = this.#peers
      .status()
      .map((peer) => ({ ...peer, votes: peer.up && said.get(peer.id) === true }));
    const voters = new Set(peers.filter(({ votes }) => votes).map(({ id }) => id));
    if (standing === 'voter') voters.add(this.#self);
    const led = hosts.every(({ leadership }) => leadership.leader !== undefined);
    const tolerated = failuresTolerated(voters, this.#members.quorums, { led });
    return {
      ...this.#peers.levels(),
      quorums: this.#members.quorums.name,
      peers,
      failuresTolerated: tolerated,
      needed: tolerated < 0 ? [] : neededVoters(voters, this.#members.quorums),
      failuresToleratedMax: this.#failuresMax(),
    };
  }

  /** With all of them there. It takes a while for many replicas, and is the same until they change. */
  #failuresMax(): number {
    const { quorums, ids } = this.#members;
    if (this.#max?.of !== quorums)
      this.#max = { of: quorums, failures: failuresTolerated(new Set(ids), quorums, { led: false }) };
    return this.#max.failures;
  }

  /** Once a second. */
  look(standing: Standing['kind'], hosts: readonly ShardHost[]): void {
    if (hosts.length > 0) this.#tellLevel();
    if (!hosts.some(({ leadership }) => leadership.serving)) return;
    const { peers, failuresTolerated: left } = this.of(standing, hosts);
    const lost = peers.flatMap(({ id, up, votes }) =>
      votes ? [] : [`replica ${id} ${up ? 'follows without a vote' : 'is down'}`],
    );
    const text = lost.join(', ');
    if (text === this.#told) return;
    this.#told = text;
    if (text === '') this.#log.info(`all ${this.#members.ids.length} replicas vote`);
    else
      this.#log.warn(
        left > 0
          ? `${text}: the cluster survives ${left} more ${left === 1 ? 'failure' : 'failures'}`
          : left === 0
            ? `${text}: one more failure stops the cluster`
            : `${text}: no quorum is left`,
        { failuresTolerated: left },
      );
  }
  /** What is used changes when every replica knows more, and when one that knows less takes part. */
  #tellLevel(): void {
    const before = this.#level;
    const { levelUsed: now } = this.#peers;
    this.#level = now;
    if (before === undefined || before === now) return;
    if (now > before)
      this.#log.info(
        `the cluster uses feature level ${now} (docs/compatibility.md), and no longer ${before}: from now on a version that does not know it ` +
          'does not start',
        { featureLevel: now },
      );
    else
      this.#log.info(`a replica knows no more than feature level ${now}: nothing that came later is used`, {
        featureLevel: now,
      });
  }
}
