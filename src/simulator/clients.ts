import { generation, groupId, memberId, type Random, topicName } from '../kernel/index.js';
import type { GroupCommand, RecordOperation } from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import type { Commits, History, RecordAccess } from './history.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** A client gives an answer up after this. Milliseconds. */
const PATIENCE_MS = 2_500;

/** What clients know of the world. */
export interface ClientSurroundings {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly history: History;
  /** Those that run, in the order of their ids. */
  readonly replicas: () => readonly Replica[];
  /** Milliseconds between two requests of a client, on average. */
  readonly paceMs: () => number;
}

/** Calls `ask` again and again, each time after the last answer or when patience has run out. */
function repeatedly(around: ClientSurroundings, ask: (replica: Replica, done: () => void) => void): void {
  const { time, random, replicas, paceMs } = around;
  const again = (): void => {
    time.after(random.next() * 2 * paceMs(), () => {
      const running = replicas();
      if (running.length === 0) return again();
      let over = false;
      const done = (): void => {
        if (over) return;
        over = true;
        giveUp();
        again();
      };
      const giveUp = time.after(PATIENCE_MS, done);
      ask(random.pick(running), done);
    });
  };
  again();
}

/** Whom a client that knows the coordinator asks: the leader as `replica` sees it, when it runs. */
export function leaderSeenBy(replica: Replica, around: ClientSurroundings, group: string): Replica {
  const leader = replica.leaderOf(replica.shardOf(groupId(group)));
  return around.replicas().find(({ self }) => self === leader) ?? replica;
}

/** Commits ever higher offsets of one partition, and reads them back. */
export function committer(around: ClientSurroundings, name: string): void {
  const commits: Commits = { group: groupId(name), topic: topicName('work'), tried: 0, acknowledged: -1 };
  around.history.commits.push(commits);
  const shardIn = (replica: Replica): ReturnType<Replica['shardOf']> => replica.shardOf(commits.group);
  repeatedly(around, (any, done) => {
    const replica = leaderSeenBy(any, around, name);
    if (around.random.chance(0.4)) return read(around, commits, replica, done);
    const offset = ++commits.tried;
    replica.submit(shardIn(replica), commitOf(commits, offset), (outcome) => {
      const taken =
        outcome.kind === 'ok' && outcome.reply.kind === 'commit' && outcome.reply.error === 'NONE';
      around.trace.note(around.time.now, `${name} commits ${offset}: ${taken ? 'taken' : outcome.kind}`);
      if (taken) commits.acknowledged = Math.max(commits.acknowledged, offset);
      done();
    });
  });
}

function commitOf({ group, topic }: Commits, offset: number): GroupCommand {
  return {
    kind: 'group.commit',
    group,
    generation: generation(-1),
    memberId: memberId(''),
    instanceId: null,
    groupNotFoundKnown: true,
    retentionMs: null,
    offsetMetadataBytesMax: 4_096,
    offsets: [
      { topic, topicId: null, partition: 0, offset, leaderEpoch: -1, metadata: 'x'.repeat(offset % 300) },
    ],
  };
}

function read(around: ClientSurroundings, commits: Commits, replica: Replica, done: () => void): void {
  const atLeast = commits.acknowledged;
  replica.read(replica.shardOf(commits.group), (outcome) => {
    if (outcome.kind === 'ok') {
      const found = Number(outcome.view.groups.committed(commits.group, commits.topic, 0)?.offset ?? -1);
      around.trace.note(around.time.now, `${commits.group} reads ${found} at ${replica.self}`);
      around.history.reads.push({ group: commits.group, atLeast, found, atMost: commits.tried });
    }
    done();
  });
}

/** Writes one record by compare-and-set, with a token that grows at times and stays behind at others; and reads it. */
export function recordWriter(
  around: ClientSurroundings,
  name: string,
  space: string,
  tokens: { newest: number },
): void {
  const { history, random, time, trace } = around;
  let seen = 0;
  let token = 0;
  repeatedly(around, (replica, done) => {
    const writes = random.chance(0.6);
    if (random.chance(0.2)) token = random.chance(0.5) ? ++tokens.newest : tokens.newest;
    const access: RecordAccess = {
      space,
      kind: writes ? 'write' : 'read',
      startedAt: time.now,
      endedAt: Number.POSITIVE_INFINITY,
      version: undefined,
      token: writes ? token : undefined,
    };
    history.records.push(access);
    const end = (version: number | undefined, what: string): void => {
      access.endedAt = time.now;
      access.version = version;
      if (version !== undefined) seen = version;
      trace.note(time.now, `${name} ${access.kind} ${space}: ${what} ${version ?? ''}`);
      done();
    };
    const shard = replica.shardOf(groupId(space));
    if (!writes) {
      return replica.read(shard, (outcome) => {
        const found =
          outcome.kind === 'ok' ? (outcome.view.registers.get(space, 'r')?.version ?? 0) : undefined;
        end(found, outcome.kind);
      });
    }
    const command = {
      kind: 'record.write',
      space,
      atomic: true,
      operations: [operation(name, seen, token)],
    } as const;
    replica.submitAnywhere(shard, command, (outcome) => {
      if (outcome.kind !== 'ok' || outcome.reply.kind !== 'records') return end(undefined, outcome.kind);
      const [result] = outcome.reply.outcomes;
      if (result?.kind === 'version-conflict' || result?.kind === 'already-exists') {
        seen = result.actual;
        history.records.push({
          ...access,
          kind: 'read',
          endedAt: time.now,
          version: result.actual,
          token: undefined,
        });
      }
      if (result?.kind === 'stale-epoch') trace.reached('a write with an old token was refused');
      end(result?.kind === 'written' ? result.version : undefined, result?.kind ?? 'nothing');
    });
  });
}

function operation(by: string, version: number, token: number): RecordOperation {
  const fields = [{ name: 'by', json: JSON.stringify(by.repeat(1 + (version % 40))) }];
  const fence = { scope: 'scope', token: BigInt(token), owner: null };
  return version === 0
    ? { kind: 'insert', id: 'r', fields, fence }
    : { kind: 'update', id: 'r', version, fields, replace: false, fence };
}
