import { generation, groupId, memberId, type Random, shardId, topicName } from '../kernel/index.js';
import type { GroupCommand, RecordOperation, ReplyTo } from '../machine/index.js';
import type { Outcome, Replica } from '../replica/index.js';
import type { Commits, History } from './history.js';
import { type BrokerPort, KafkaClient } from './kafka-client.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

const TOPIC = 'work';
export const TOPIC_PARTITIONS = 8;
/** Partitions of a big commit: about 50 KB. */
const BIG_COMMIT = 250;
type CommitCommand = Extract<GroupCommand, { kind: 'group.commit' }>;
/** A client gives an answer up after this. Milliseconds. */
export const GIVE_UP_AFTER_MS = 2_500;
const IMPATIENT_MS = 60;

export interface PendingRequest {
  readonly replica: Replica;
  readonly askedAt: number;
}

/** What clients know of the world. */
export interface ClientSurroundings {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly history: History;
  /** Those that run, in the order of their ids. */
  readonly replicas: () => readonly Replica[];
  /** What is asked of a replica that is stopped waits until it goes on. */
  readonly inProcess: (replica: Replica, run: () => void) => void;
  /** Those that a client asks when it does not know the coordinator. */
  readonly anyReplica: () => readonly Replica[];
  /** The brokers of both. */
  readonly brokers: () => readonly BrokerPort[];
  readonly anyBroker: () => readonly BrokerPort[];
  /** Whether a read at any replica is linearizable: older versions answer with what they have. */
  readonly readsAnywhere: boolean;
  /** Whether nothing goes wrong any more. */
  readonly healed: () => boolean;
  /** What nobody has answered yet. */
  readonly pending: Set<PendingRequest>;
  /** Milliseconds between two requests of a client, on average. */
  readonly paceMs: () => number;
}

/** Calls `ask` again and again, each time after the last answer, or when none has come in time (`gaveUp`). */
export function repeatedly(
  around: ClientSurroundings,
  whom: (any: Replica) => Replica,
  ask: (replica: Replica, done: () => void) => void,
  gaveUp: () => void = () => undefined,
  patienceMs = GIVE_UP_AFTER_MS,
): void {
  const { time, random, anyReplica, paceMs, pending } = around;
  const again = (): void => {
    time.after(random.next() * 2 * paceMs(), () => {
      const running = anyReplica();
      if (running.length === 0) return again();
      const replica = whom(random.pick(running));
      const request = { replica, askedAt: time.now };
      pending.add(request);
      let over = false;
      const end = (): void => {
        if (over) return;
        over = true;
        giveUp();
        again();
      };
      const giveUp = time.after(patienceMs, () => {
        end();
        gaveUp();
      });
      around.inProcess(replica, () =>
        ask(replica, () => {
          pending.delete(request);
          end();
        }),
      );
    });
  };
  again();
}

/** Of its leader, or at any replica. */
export function readsBy({ random, readsAnywhere }: ClientSurroundings): 'read' | 'readAnywhere' {
  return random.chance(0.5) || !readsAnywhere ? 'read' : 'readAnywhere';
}

/** Whom a client that knows the coordinator asks: the leader as `replica` sees it, when it runs. */
function leaderSeenBy(replica: Replica, around: ClientSurroundings, group: string): Replica {
  const leader = replica.leaderOf(replica.shardOf(groupId(group)));
  return around.replicas().find(({ self }) => self === leader) ?? replica;
}

/** Commits ever higher offsets of one partition, and reads them back. */
export function committer(around: ClientSurroundings, name: string, bigOnes: boolean): void {
  const { random, history } = around;
  const { commits, open, tries, ends } = newCommits(around, name);
  const shardIn = (replica: Replica): ReturnType<Replica['shardOf']> => replica.shardOf(commits.group);
  const whom = (any: Replica): Replica => (random.chance(0.7) ? leaderSeenBy(any, around, name) : any);
  repeatedly(around, whom, (replica, done) => {
    if (random.chance(0.4)) return read(around, commits, open, replica, done);
    const offset = tries();
    const settle = (outcome: Outcome<ReplyTo<CommitCommand>>): void => {
      const taken =
        outcome.kind === 'ok' && outcome.reply.kind === 'commit' && outcome.reply.error === 'NONE';
      ends(offset, taken ? 'taken' : outcome.kind, outcome.kind !== 'outcome-unknown');
      done();
    };
    const command = commitOf(commits, offset, bigOnes && random.chance(0.15) ? BIG_COMMIT : 1);
    // At the leader, or at any replica, which passes it on.
    if (random.chance(0.5)) replica.submit(shardIn(replica), command, settle);
    else replica.submitAnywhere(shardIn(replica), command, settle);
  });
  history.commits.push(commits);
  // Readers who know no coordinator: any replica that believes that it leads may answer them. They soon ask elsewhere; what
  // comes late counts as well.
  for (const patienceMs of [GIVE_UP_AFTER_MS, IMPATIENT_MS])
    repeatedly(
      around,
      (any) => any,
      (replica, done) => read(around, commits, open, replica, done),
      undefined,
      patienceMs,
    );
}

/** The book of one who commits: what was tried, what was acknowledged, and of what nobody knows the end (`open`). */
export function newCommits(
  { time, trace, history }: ClientSurroundings,
  name: string,
): {
  readonly commits: Commits;
  readonly open: Set<number>;
  readonly tries: () => number;
  readonly ends: (offset: number, how: string, known: boolean) => void;
} {
  const commits: Commits = {
    group: groupId(name),
    topic: topicName(TOPIC),
    tried: 0,
    acknowledged: -1,
  };
  const open = new Set<number>();
  const tries = (): number => {
    open.add(++commits.tried);
    return commits.tried;
  };
  const ends = (offset: number, how: string, known: boolean): void => {
    trace.note(time.now, `${name} commits ${offset}: ${how}`);
    // One that was given up may have been done behind later ones.
    if (known && offset === commits.tried) open.delete(offset);
    if (NOT_DONE.has(how)) history.refused.add(`${commits.group} ${offset}`);
    if (how === 'taken') commits.acknowledged = Math.max(commits.acknowledged, offset);
  };
  return { commits, open, tries, ends };
}

/** Refusals of a replica that say so (Refusal). */
const NOT_DONE: ReadonlySet<string> = new Set(['not-leader', 'overloaded']);

/** Makes the topic that the others use, and others that nobody uses; what it was told of must be found. */
export function administrator(around: ClientSurroundings): void {
  const { time, random, trace, history } = around;
  const client = new KafkaClient('administrator', around);
  let made = 0;
  let name = TOPIC;
  const create = (done: () => void): void => {
    const topic = {
      name,
      numPartitions: TOPIC_PARTITIONS,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    };
    const asked = name;
    client.askAny([19, 5, { topics: [topic] }], (answer) => {
      const code = answer?.topics[0]?.errorCode;
      trace.note(time.now, `creates topic ${asked}: ${code ?? 'no answer'}`);
      // Kafka: TOPIC_ALREADY_EXISTS. An earlier try was done after all.
      if (code === 0 || code === 36) {
        history.topics.add(asked);
        name = `topic-${++made}`;
      }
      done();
    });
  };
  const looks = (replica: Replica, done: () => void): void => {
    const expected = [...history.topics];
    replica[around.readsAnywhere ? 'readAnywhere' : 'read'](shardId(0), (outcome) => {
      const missing =
        outcome.kind === 'ok'
          ? expected.filter((topic) => outcome.view.topics.byName(topicName(topic)) === undefined)
          : [];
      history.topicsMissing.push(...missing);
      done();
    });
  };
  const paceMs = (): number => (history.topics.size === 0 ? 100 : 1_000);
  const ask = (replica: Replica, done: () => void): void =>
    history.topics.size > 0 && random.chance(0.5) ? looks(replica, done) : create(done);
  repeatedly(
    { ...around, paceMs },
    (any) => any,
    ask,
    () => client.leave(),
  );
}

/** Commits one offset that may go soon, and says no more. */
export function passerBy(around: ClientSurroundings, name: string): void {
  const { time, random, history } = around;
  const client = new KafkaClient(name, around);
  const partition = { partitionIndex: 0, committedOffset: 1, committedMetadata: '' };
  const request = {
    ...{ groupId: name, memberId: '', retentionTimeMs: PASSER_BY_KEPT_MS },
    topics: [{ name: TOPIC, partitions: [partition] }],
  };
  const commit = (): void => {
    if (time.now > PASSER_BY_UNTIL_MS) return;
    client.askCoordinator(name, [8, 4, request], (answer) => {
      if (answer?.topics[0]?.partitions[0]?.errorCode === 0) return void history.passers.push(groupId(name));
      client.forgetCoordinator();
      time.after(100, commit);
    });
  };
  time.after(random.below(1_000), commit);
}
const PASSER_BY_KEPT_MS = 500;
const PASSER_BY_UNTIL_MS = 2_000;

/** Writes long records, so that a snapshot is many chunks. */
export function hoarder(around: ClientSurroundings, bytes: number): void {
  const version = new Map<string, number>();
  repeatedly(
    { ...around, paceMs: () => HOARDED_EVERY_MS },
    (any) => any,
    (replica, done) => {
      const id = `long-${around.random.below(HOARDED)}`;
      const fields = [{ name: 'long', json: JSON.stringify(id.padEnd(bytes, '.')) }];
      const known = version.get(id) ?? 0;
      const operation: RecordOperation =
        known === 0
          ? { kind: 'insert', id, fields, fence: null }
          : { kind: 'update', id, version: known, fields, replace: true, fence: null };
      replica.submitAnywhere(
        replica.shardOf(groupId(HOARD)),
        { kind: 'record.write', space: HOARD, atomic: true, operations: [operation] },
        (outcome) => {
          const result =
            outcome.kind === 'ok' && outcome.reply.kind === 'records' ? outcome.reply.outcomes[0] : undefined;
          if (result?.kind === 'written') version.set(id, result.version);
          if (result?.kind === 'version-conflict' || result?.kind === 'already-exists')
            version.set(id, result.actual);
          done();
        },
      );
    },
  );
}
const HOARD = 'hoard';
const HOARDED = 12;
/** Slow enough for the log to be cut in time. Milliseconds. */
const HOARDED_EVERY_MS = 250;

/** `partitions`: so many get the same offset. */
export function commitOf({ group, topic }: Commits, offset: number, partitions: number): CommitCommand {
  const metadata = 'x'.repeat(offset % 300);
  return {
    kind: 'group.commit',
    group,
    generation: generation(-1),
    memberId: memberId(''),
    instanceId: null,
    groupNotFoundKnown: true,
    retentionMs: null,
    offsetMetadataBytesMax: 4_096,
    offsets: Array.from({ length: partitions }, (_, partition) => ({
      ...{ topic, topicId: null, partition, offset, leaderEpoch: -1, metadata },
    })),
  };
}

/** `open`: offsets whose end nobody knows; each may still be chosen, also behind one that was acknowledged later. */
function read(
  around: ClientSurroundings,
  commits: Commits,
  open: ReadonlySet<number>,
  replica: Replica,
  done: () => void,
): void {
  const atLeast = commits.acknowledged;
  replica[readsBy(around)](replica.shardOf(commits.group), (outcome) => {
    if (outcome.kind === 'ok') {
      const offset = Number(outcome.view.groups.committed(commits.group, commits.topic, 0)?.offset ?? -1);
      found(around, commits, open, atLeast, offset);
    }
    done();
  });
}

export function found(
  { trace, time, history }: ClientSurroundings,
  { group, tried }: Commits,
  open: ReadonlySet<number>,
  atLeast: number,
  offset: number,
): void {
  trace.note(time.now, `${group} reads ${offset}`);
  history.reads.push({ group, atLeast, found: offset, atMost: tried, open: open.has(offset) });
}
