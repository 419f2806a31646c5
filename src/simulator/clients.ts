import { generation, groupId, memberId, type Random, topicName } from '../kernel/index.js';
import type { GroupCommand, RecordOperation } from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import type { Commits, History, RecordAccess } from './history.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** A client gives an answer up after this. Milliseconds. */
export const PATIENCE_MS = 2_500;

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
  /** What nobody has answered yet. */
  readonly pending: Set<PendingRequest>;
  /** Milliseconds between two requests of a client, on average. */
  readonly paceMs: () => number;
}

/** Calls `ask` again and again, each time after the last answer or when patience has run out. */
function repeatedly(
  around: ClientSurroundings,
  whom: (any: Replica) => Replica,
  ask: (replica: Replica, done: () => void) => void,
): void {
  const { time, random, replicas, paceMs, pending } = around;
  const again = (): void => {
    time.after(random.next() * 2 * paceMs(), () => {
      const running = replicas();
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
      const giveUp = time.after(PATIENCE_MS, end);
      ask(replica, () => {
        pending.delete(request);
        end();
      });
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
  const commits: Commits = {
    group: groupId(name),
    topic: topicName('work'),
    tried: 0,
    acknowledged: -1,
  };
  const open = new Set<number>();
  around.history.commits.push(commits);
  const shardIn = (replica: Replica): ReturnType<Replica['shardOf']> => replica.shardOf(commits.group);
  const whom = (any: Replica): Replica => leaderSeenBy(any, around, name);
  repeatedly(around, whom, (replica, done) => {
    if (around.random.chance(0.4)) return read(around, commits, open, replica, done);
    const offset = ++commits.tried;
    open.add(offset);
    replica.submit(shardIn(replica), commitOf(commits, offset), (outcome) => {
      const taken =
        outcome.kind === 'ok' && outcome.reply.kind === 'commit' && outcome.reply.error === 'NONE';
      around.trace.note(around.time.now, `${name} commits ${offset}: ${taken ? 'taken' : outcome.kind}`);
      if (outcome.kind !== 'outcome-unknown') open.delete(offset);
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

/** `open`: offsets whose end nobody knows; each may still be chosen, also behind one that was acknowledged later. */
function read(
  around: ClientSurroundings,
  commits: Commits,
  open: ReadonlySet<number>,
  replica: Replica,
  done: () => void,
): void {
  const atLeast = commits.acknowledged;
  replica.read(replica.shardOf(commits.group), (outcome) => {
    if (outcome.kind === 'ok') {
      const found = Number(outcome.view.groups.committed(commits.group, commits.topic, 0)?.offset ?? -1);
      around.trace.note(around.time.now, `${commits.group} reads ${found} at ${replica.self}`);
      around.history.reads.push({
        group: commits.group,
        atLeast,
        found,
        atMost: commits.tried,
        open: open.has(found),
      });
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
  const whom = (any: Replica): Replica => any;
  repeatedly(around, whom, (replica, done) => {
    const writes = random.chance(0.6);
    if (random.chance(0.2)) token = random.chance(0.5) ? ++tokens.newest : tokens.newest;
    const access: RecordAccess = {
      space,
      write: writes ? { expected: seen, token } : undefined,
      startedAt: time.now,
      endedAt: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      version: undefined,
    };
    history.records.push(access);
    const end = (outcome: RecordAccess['outcome'], what: string, version?: number): void => {
      // What is not known may still happen.
      if (outcome !== 'unknown') access.endedAt = time.now;
      access.outcome = outcome;
      access.version = version;
      if (version !== undefined) seen = version;
      if (outcome === 'stale') trace.reached('a write with an old token was refused');
      trace.note(time.now, `${name} ${writes ? 'write' : 'read'} ${space}: ${what} ${version ?? ''}`);
      done();
    };
    const shard = replica.shardOf(groupId(space));
    if (!writes) {
      return replica.read(shard, (outcome) => {
        if (outcome.kind !== 'ok') return end('refused', outcome.kind);
        end('ok', 'found', outcome.view.registers.get(space, 'r')?.version ?? 0);
      });
    }
    const operations = [operation(name, seen, token)];
    replica.submitAnywhere(shard, { kind: 'record.write', space, atomic: true, operations }, (outcome) => {
      if (outcome.kind !== 'ok')
        return end(outcome.kind === 'outcome-unknown' ? 'unknown' : 'refused', outcome.kind);
      const result = outcome.reply.kind === 'records' ? outcome.reply.outcomes[0] : undefined;
      switch (result?.kind) {
        case 'written':
          return end('ok', 'written', result.version);
        case 'version-conflict':
        case 'already-exists':
          return end('conflict', result.kind, result.actual);
        case 'stale-epoch':
          return end('stale', result.kind);
        default:
          return end('conflict', result?.kind ?? 'nothing', 0);
      }
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
