import type { Log, ReplicaId } from '../kernel/index.js';
import { isFullQuorum, type QuorumSystem } from '../paxos/index.js';
import type { Standing } from './formation.js';
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
  readonly #quorums: QuorumSystem;
  readonly #peers: Peers;
  readonly #log: Log;
  readonly #all: ReadonlySet<ReplicaId>;
  readonly #max: number;
  #told = '';

  constructor({ self, quorums, replicas, log }: ReplicaOptions, peers: Peers) {
    this.#self = self;
    this.#quorums = quorums;
    this.#peers = peers;
    this.#log = log;
    this.#all = new Set(replicas.map(({ id }) => id));
    this.#max = failuresTolerated(this.#all, quorums, { led: false });
  }

  of(standing: Standing['kind'], hosts: readonly ShardHost[]): Votes {
    const said = new Map(hosts[0]?.status().peers.map(({ id, votes }) => [id, votes]));
    const peers = this.#peers.status().map(({ id, up }) => ({ id, up, votes: up && said.get(id) === true }));
    const voters = new Set(peers.filter(({ votes }) => votes).map(({ id }) => id));
    if (standing === 'voter') voters.add(this.#self);
    const led = hosts.every(({ leadership }) => leadership.leader !== undefined);
    return {
      ...this.#peers.levels(),
      quorums: this.#quorums.name,
      peers,
      failuresTolerated: failuresTolerated(voters, this.#quorums, { led }),
      failuresToleratedMax: this.#max,
    };
  }

  /** Once a second. */
  look(standing: Standing['kind'], hosts: readonly ShardHost[]): void {
    if (!hosts.some(({ leadership }) => leadership.serving)) return;
    const { peers, failuresTolerated: left } = this.of(standing, hosts);
    const lost = peers.flatMap(({ id, up, votes }) =>
      votes ? [] : [`replica ${id} ${up ? 'follows without a vote' : 'is down'}`],
    );
    const text = lost.join(', ');
    if (text === this.#told) return;
    this.#told = text;
    if (text === '') this.#log.info(`all ${this.#all.size} replicas vote`);
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
}
