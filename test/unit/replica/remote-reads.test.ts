import { describe, expect, it } from '@jest/globals';
import { monotonicMs, replicaId, shardId } from '../../../src/kernel/index.js';
import { createMachine } from '../../../src/machine/index.js';
import type { ReadOutcome } from '../../../src/replica/index.js';
import { majority } from '../../../src/paxos/index.js';
import { Members } from '../../../src/replica/members.js';
import { Peers } from '../../../src/replica/peers.js';
import { RemoteReads } from '../../../src/replica/remote-reads.js';

const SELF = replicaId(1);
const SHARD = shardId(0);

describe('a read at a replica that has won an election and does not serve yet', () => {
  it('waits: what is applied here may lack what was acknowledged', () => {
    let serves = false;
    const peers = new Peers(
      SELF,
      new Members({
        self: SELF,
        replicas: [{ id: SELF, kafka: { host: 'here', port: 1 } }],
        quorums: majority([SELF]),
      }),
    );
    const outcomes: ReadOutcome[] = [];
    const reads = new RemoteReads(
      {
        now: () => monotonicMs(0),
        leaderOf: () => SELF,
        serves: () => serves,
        read: (shard, done) => done({ kind: 'ok', view: createMachine({ shard, shards: 1 }) }),
        peek: (shard) => createMachine({ shard, shards: 1 }),
        levelOf: (peer) => peers.levelOf(peer),
        send: () => false,
      },
      1,
    );
    reads.read(SHARD, (outcome) => outcomes.push(outcome));
    reads.tick();
    expect(outcomes).toEqual([]);
    serves = true;
    reads.tick();
    expect(outcomes).toMatchObject([{ kind: 'ok' }]);
  });
});
