import kafkajs from 'kafkajs';
import {
  generation,
  groupId,
  memberId,
  type Random,
  replicaId,
  slot,
  topicName,
} from '../../src/kernel/index.js';
import type { FencesJson } from '../../src/admin/shapes.js';
import { QuorateStore } from '../../src/locking/index.js';
import type { Commits, History, RecordAccess } from '../../src/simulator/history.js';
import type { Cluster } from '../harness/cluster.js';
import { addressText } from '../harness/connection.js';
import { GroupClient } from '../harness/group-client.js';
import { GroupMember } from '../harness/group-member.js';
import { sleep } from '../harness/waiting.js';

const TOPIC = 'work';
const PARTITIONS = 6;
const RECORD = 'record';

/** What a worker does again and again until it is told to stop. It writes down what it was told. */
export interface Worker {
  readonly name: string;
  /** Requests that were answered. */
  answered: number;
  turn(): Promise<void>;
  close?(): Promise<void> | void;
}

export interface Scene {
  readonly cluster: Cluster;
  readonly history: History;
  readonly random: Random;
  /** Milliseconds since the torture began. */
  readonly now: () => number;
}

/** Reads the record of a space, and replaces it at the version that it read; sometimes with the token of an owner before. */
export function recordWriter(
  { cluster, history, random, now }: Scene,
  space: string,
  tokens: { highest: number },
): Worker {
  const urls = cluster.replicas.map(({ http }) => http);
  const store = new QuorateStore({ urls, space, requestTimeoutMs: 2_000, deadlineMs: 4_000 });
  const begin = (write: RecordAccess['write']): RecordAccess => {
    const access: RecordAccess = {
      space,
      write,
      startedAt: now(),
      endedAt: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      version: undefined,
    };
    history.records.push(access);
    return access;
  };
  const end = (access: RecordAccess, outcome: RecordAccess['outcome'], version: number | undefined): void => {
    access.endedAt = now();
    access.outcome = outcome;
    access.version = version;
    worker.answered++;
  };
  const worker: Worker = {
    name: `writer of ${space}`,
    answered: 0,
    turn: async () => {
      const read = begin(undefined);
      const [found] = await store.read(RECORD, ['x']);
      const expected = found?.version ?? 0;
      end(read, 'ok', expected);
      if (random.chance(0.05)) tokens.highest++;
      const token = Math.max(1, tokens.highest - (random.chance(0.2) ? 1 : 0));
      const write = begin({ expected, token });
      const fence = { scope: 'owner', token: BigInt(token) };
      const value = { n: expected };
      const outcomes = await store.write(
        [
          found === undefined
            ? { kind: 'insert', resource: RECORD, id: 'x', value, fence }
            : { kind: 'update', resource: RECORD, id: 'x', version: expected, changes: value, fence },
        ],
        'each',
      );
      const outcome = outcomes[0]!;
      switch (outcome.kind) {
        case 'written':
          return end(write, 'ok', outcome.version);
        case 'version-conflict':
        case 'already-exists':
          return end(write, 'conflict', outcome.actual);
        case 'not-found':
          return end(write, 'conflict', 0);
        case 'stale-epoch':
          return end(write, 'stale', undefined);
        case 'skipped':
          return end(write, 'refused', undefined);
      }
    },
  };
  return worker;
}

/** Commits higher and higher offsets without being a member, and reads what it committed. */
export function committer({ cluster, history, random }: Scene, name: string): Worker {
  const client = new GroupClient({ bootstrap: cluster.bootstrap, group: name });
  const commits: Commits = { group: groupId(name), topic: topicName(TOPIC), tried: 0, acknowledged: 0 };
  history.commits.push(commits);
  const worker: Worker = {
    name: `committer of ${name}`,
    answered: 0,
    turn: async () => {
      if (random.chance(0.3)) await read();
      else await commit();
      worker.answered++;
    },
    close: () => client.close(),
  };
  const commit = async (): Promise<void> => {
    const offset = ++commits.tried;
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }];
    const body = {
      groupId: name,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [{ name: TOPIC, partitions }],
    };
    const answer = await client.ask(
      8,
      7,
      body,
      (response) => response.topics[0]?.partitions[0]?.errorCode ?? -1,
      {
        withinMs: 4_000,
      },
    );
    if (answer.topics[0]?.partitions[0]?.errorCode === 0) commits.acknowledged = offset;
  };
  const read = async (): Promise<void> => {
    const atLeast = commits.acknowledged;
    const body = { groupId: name, topics: [{ name: TOPIC, partitionIndexes: [0] }] };
    const answer = await client.ask(9, 5, body, ({ errorCode }) => errorCode, { withinMs: 4_000 });
    if (answer.errorCode !== 0) return;
    const offset = answer.topics[0]?.partitions[0]?.committedOffset ?? -1;
    history.reads.push({
      group: commits.group,
      atLeast,
      found: Math.max(0, Number(offset)),
      atMost: commits.tried,
    });
  };
  return worker;
}

/** A member of a group: heartbeats, commits what it owns, joins again when told to; now and then it falls silent and comes back. */
export function member({ cluster, history, random, now }: Scene, group: string): Worker {
  const fresh = (): GroupMember =>
    new GroupMember({
      bootstrap: cluster.bootstrap,
      group,
      topic: TOPIC,
      partitions: PARTITIONS,
      sessionTimeoutMs: 6_000,
      heartbeatMs: 500,
    });
  let current: GroupMember | undefined;
  let heard = -1;
  let offset = 0;
  const listen = (self: GroupMember): void => {
    if (!self.isStable || self.generation === heard) return;
    heard = self.generation;
    const told = {
      group: groupId(group),
      member: memberId(self.memberId),
      generation: generation(heard),
      at: now() - (performance.now() - self.stableAt),
    };
    history.told.push({ ...told, partitions: undefined }, { ...told, partitions: [...self.partitions] });
  };
  const worker: Worker = {
    name: `member of ${group}`,
    answered: 0,
    turn: async () => {
      if (current?.failure !== null) {
        await current?.abandon();
        current = fresh();
        heard = -1;
        await current.start();
      }
      listen(current);
      if (random.chance(0.02)) {
        await current.abandon();
        current = undefined;
        return;
      }
      const self = current;
      const [partition] = self.partitions;
      if (!self.isStable || partition === undefined) return sleep(50);
      const act = {
        what: 'commit' as const,
        group: groupId(group),
        member: memberId(self.memberId),
        generation: generation(self.generation),
        startedAt: now(),
      };
      if ((await self.commit(partition, ++offset, 4_000)) !== 0) return;
      history.acts.push(act);
      worker.answered++;
    },
    close: () => current?.abandon(),
  };
  return worker;
}

/** What every replica says of the grants of a group. */
export function watcher({ cluster, history }: Scene, groups: readonly string[]): Worker {
  const worker: Worker = {
    name: 'watcher',
    answered: 0,
    turn: async () => {
      for (const { id, http } of cluster.replicas)
        for (const group of groups) {
          const answer = await fetch(`${http}/groups/${group}/fences`, {
            signal: AbortSignal.timeout(2_000),
          }).catch(() => undefined);
          if (answer?.ok !== true) continue;
          const { asOf, fences } = (await answer.json()) as FencesJson;
          worker.answered++;
          for (const { scope, owner, token } of fences)
            history.grants.push({
              at: Date.now(),
              replica: replicaId(id),
              scope,
              owner: memberId(owner),
              token: Number(token),
              through: slot(asOf.slot),
            });
        }
      await sleep(300);
    },
  };
  return worker;
}

/** A consumer of kafkajs that commits; what it says was committed must be there. */
export async function kafkajsCommitter({ cluster, history }: Scene, group: string): Promise<Worker> {
  const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 1_000 };
  const kafka = new kafkajs.Kafka({
    clientId: 'torture',
    brokers: cluster.bootstrap.map(addressText),
    logLevel: kafkajs.logLevel.NOTHING,
    requestTimeout: 3_000,
    retry,
  });
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
    retry,
  });
  const commits: Commits = { group: groupId(group), topic: topicName(TOPIC), tried: 0, acknowledged: 0 };
  history.commits.push(commits);
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { partitions } of payload.topics)
      for (const { offset } of partitions)
        commits.acknowledged = Math.max(commits.acknowledged, Number(offset));
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC] });
  await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
  const worker: Worker = {
    name: `kafkajs in ${group}`,
    answered: 0,
    turn: async () => {
      await sleep(20);
      const before = commits.acknowledged;
      commits.tried++;
      await consumer.commitOffsets([{ topic: TOPIC, partition: 0, offset: String(commits.tried) }]);
      if (commits.acknowledged > before) worker.answered++;
    },
    close: () => consumer.disconnect(),
  };
  return worker;
}
