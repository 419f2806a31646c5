import type { Log, ReplicaId } from '../kernel/index.js';
import type { QuorumSystem } from '../paxos/index.js';
import type { Standing } from './formation.js';
import type { ReplicaOptions, Votes } from './options.js';
import type { Peers } from './peers.js';
import type { ShardHost } from './shard-host.js';

type Quorums = Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>;

/** How many of these replicas may fail, whichever they are, before no quorum is left; -1 when there is none now. */
export function failuresTolerated(voters: ReadonlySet<ReplicaId>, quorums: Quorums): number {
  if (!quorums.isPrepareQuorum(voters) || !quorums.isAcceptQuorum(voters)) return -1;
  const without = [...voters].map((gone) =>
    failuresTolerated(new Set([...voters].filter((id) => id !== gone)), quorums),
  );
  return Math.min(voters.size, ...without.map((tolerated) => tolerated + 1));
}

/** Which replicas vote, as this one sees it; a leader says in the log when that changes. */
export class VoteWatch {
  readonly #self: ReplicaId;
  readonly #quorums: Quorums;
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
    this.#max = failuresTolerated(this.#all, quorums);
  }

  of(standing: Standing['kind'], hosts: readonly ShardHost[]): Votes {
    const said = new Map(hosts[0]?.status().peers.map(({ id, votes }) => [id, votes]));
    const peers = this.#peers.status().map(({ id, up }) => ({ id, up, votes: up && said.get(id) === true }));
    const voters = new Set(peers.filter(({ votes }) => votes).map(({ id }) => id));
    if (standing === 'voter') voters.add(this.#self);
    return {
      peers,
      failuresTolerated: failuresTolerated(voters, this.#quorums),
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
          : `${text}: one more failure stops the cluster`,
        { failuresTolerated: left },
      );
  }
}
