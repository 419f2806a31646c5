import {
  ByteWriter,
  type Generation,
  generation,
  groupId,
  instanceId,
  type InstanceId,
  type MemberId,
  memberId,
  topicName,
} from '../kernel/index.js';
import {
  DEFAULT_GROUP_SETTINGS,
  type GroupCommand,
  type GroupReply,
  type JoinAnswer,
  type SyncAnswer,
} from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import { type ClientSurroundings, leaderSeenBy } from './clients.js';

export const MEMBERS_GROUP = 'members';
const GROUP = groupId(MEMBERS_GROUP);
const TOPIC = 'work';
const PARTITIONS = 6;
const SESSION_MS = 1_200;
const REBALANCE_MS = 1_500;
const HEARTBEAT_MS = 250;
/** How long a member waits for an answer before it asks again. Milliseconds. */
const ANSWER_MS = 3_000;
const NOBODY = memberId('');

/**
 * A member of a classic group, as clients are: it joins, leads when it is told to, syncs, heartbeats, commits and leaves;
 * some have a name that outlives them; at times one falls silent, misses its session, and goes on as if nothing had been.
 */
export class Member {
  readonly #around: ClientSurroundings;
  readonly #name: string;
  readonly #instance: InstanceId | null;
  #id: MemberId = NOBODY;
  #generation: Generation = generation(-1);
  #partitions: readonly number[] = [];
  #joins = 0;
  /** Counts what it waits for, so that a late answer is known as such. */
  #turn = 0;

  constructor(around: ClientSurroundings, name: string) {
    this.#around = around;
    this.#name = name;
    this.#instance = around.random.chance(0.3) ? instanceId(name) : null;
    this.#after(around.random.below(300), () => this.#join());
  }

  #after(delayMs: number, next: () => void): void {
    this.#around.time.after(delayMs, next);
  }

  /** Whom it takes for its coordinator; tries again when nobody runs. */
  #atCoordinator(act: (replica: Replica) => void): void {
    const running = this.#around.replicas();
    if (running.length === 0) return this.#after(100, () => this.#atCoordinator(act));
    act(leaderSeenBy(this.#around.random.pick(running), this.#around, MEMBERS_GROUP));
  }

  /** Sends a command; `end` gets its reply, or the news that answers it, or nothing after a while. Once. */
  #ask(
    command: GroupCommand,
    parked: 'join-answer' | 'sync-answer',
    end: (answer: JoinAnswer | SyncAnswer | undefined) => void,
  ): void {
    this.#atCoordinator((replica) => {
      const turn = ++this.#turn;
      let waitsAs: MemberId | undefined;
      const finish = (answer: JoinAnswer | SyncAnswer | undefined): void => {
        if (turn !== this.#turn) return;
        this.#turn++;
        stop();
        // In a turn of its own: the one that brings the answer still applies.
        this.#after(0.1, () => end(answer));
      };
      const stop = replica.onNews((_, news, serving) => {
        for (const item of news)
          if (serving && item.kind === parked && item.group === GROUP && item.memberId === waitsAs)
            finish(item.answer);
      });
      this.#after(ANSWER_MS, () => finish(undefined));
      replica.submit(replica.shardOf(GROUP), command, (outcome) => {
        if (outcome.kind !== 'ok') return finish(undefined);
        const reply: GroupReply = outcome.reply;
        if (reply.kind === 'join' || reply.kind === 'sync') return finish(reply.answer);
        if (reply.kind === 'join-parked' || reply.kind === 'sync-parked') waitsAs = reply.memberId;
        else finish(undefined);
      });
    });
  }

  #join(): void {
    const made = memberId(`${this.#name}-${++this.#joins}`);
    this.#ask(this.#joinCommand(made), 'join-answer', (found) => {
      const answer = found as JoinAnswer | undefined;
      if (answer === undefined) return this.#after(100, () => this.#join());
      this.#say(`joins: ${answer.error} ${answer.generation}`);
      if (answer.error === 'MEMBER_ID_REQUIRED') this.#id = answer.memberId;
      else if (answer.error !== 'NONE') this.#id = NOBODY;
      if (answer.error !== 'NONE') return this.#after(50, () => this.#join());
      this.#id = answer.memberId;
      this.#generation = answer.generation;
      const { history, time, trace } = this.#around;
      trace.reached('a generation was formed');
      history.told.push({
        group: GROUP,
        member: this.#owner(),
        generation: answer.generation,
        at: time.now,
        partitions: undefined,
      });
      this.#sync(answer);
    });
  }

  #joinCommand(made: MemberId): GroupCommand {
    return {
      kind: 'group.join',
      group: GROUP,
      memberId: this.#id,
      newMemberId: made,
      instanceId: this.#instance,
      clientId: this.#name,
      clientHost: '/simulated',
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription() }],
      memberIdRequired: this.#instance === null,
      canSkipAssignment: false,
      reason: null,
      resuming: false,
      settings: DEFAULT_GROUP_SETTINGS,
    };
  }

  /** A member with a name stays who it is when it comes back under a new id. */
  #owner(): MemberId {
    return this.#instance === null ? this.#id : memberId(this.#name);
  }
  #self(): { readonly id: MemberId; readonly generation: Generation } {
    return { id: this.#id, generation: this.#generation };
  }

  /** Only the leader of a group is told its members: it deals the partitions out. */
  #sync({ members }: JoinAnswer): void {
    const { id, generation: of } = this.#self();
    const assignments = members.map((each, place) => ({
      memberId: each.memberId,
      assignment: assignment(range(PARTITIONS).filter((number) => number % members.length === place)),
    }));
    const command: GroupCommand = {
      ...{ kind: 'group.sync', group: GROUP, generation: of, memberId: id, instanceId: this.#instance },
      ...{ protocolType: 'consumer', protocolName: 'range', assignments },
    };
    this.#ask(command, 'sync-answer', (found) => {
      const answer = found as SyncAnswer | undefined;
      this.#say(`syncs in ${of}: ${answer?.error ?? 'no answer'}`);
      if (answer?.error !== 'NONE') return this.#rejoin(answer?.error);
      this.#partitions = partitionsOf(answer.assignment);
      const { history, time } = this.#around;
      history.told.push({
        group: GROUP,
        member: this.#owner(),
        generation: of,
        at: time.now,
        partitions: this.#partitions,
      });
      this.#stay();
    });
  }

  /** As clients do: an unknown or fenced member begins anew, any other asks under its id. */
  #rejoin(error: string | undefined): void {
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') this.#id = NOBODY;
    this.#partitions = [];
    this.#after(20, () => this.#join());
  }

  #stay(): void {
    const { random, trace } = this.#around;
    const next = random.next();
    if (next < 0.03) return this.#leave();
    if (next < 0.07) {
      trace.reached('a member fell silent');
      return this.#after(random.below(3 * SESSION_MS), () => this.#commit());
    }
    this.#after(HEARTBEAT_MS * (0.5 + random.next()), () =>
      random.chance(0.4) ? this.#commit() : this.#heartbeat(),
    );
  }

  #heartbeat(): void {
    this.#atCoordinator((replica) => {
      const { id, generation: of } = this.#self();
      const startedAt = this.#around.time.now;
      const turn = ++this.#turn;
      const end = (error: string | undefined): void => {
        if (turn !== this.#turn) return;
        this.#turn++;
        if (error === 'NONE') this.#took('heartbeat', startedAt);
        if (error === 'NONE' || error === undefined) return this.#stay();
        this.#rejoin(error);
      };
      this.#after(ANSWER_MS, () => end(undefined));
      replica.read(replica.shardOf(GROUP), (outcome) => {
        if (outcome.kind !== 'ok') return this.#after(50, () => end(undefined));
        const asked = { group: GROUP, generation: of, memberId: id, instanceId: this.#instance };
        const { error, renew } = outcome.view.groups.heartbeat(asked);
        if (renew) replica.touch(GROUP, id);
        this.#after(0.1, () => end(error));
      });
    });
  }

  /** Commits an offset of each of its partitions. */
  #commit(): void {
    const { id, generation: of } = this.#self();
    const startedAt = this.#around.time.now;
    const offsets = this.#partitions.map((partition) => ({
      ...{ topic: topicName(TOPIC), topicId: null, partition, leaderEpoch: -1, metadata: '' },
      offset: Math.floor(startedAt),
    }));
    if (offsets.length === 0) return this.#heartbeat();
    this.#atCoordinator((replica) => {
      const turn = ++this.#turn;
      const end = (error: string | undefined): void => {
        if (turn !== this.#turn) return;
        this.#turn++;
        this.#say(`commits in ${of}: ${error ?? 'no answer'}`);
        if (error === 'NONE') this.#took('commit', startedAt);
        else if (error !== undefined) this.#around.trace.reached('a commit of an old generation was refused');
        if (error === 'NONE' || error === undefined) return this.#stay();
        this.#rejoin(error);
      };
      this.#after(ANSWER_MS, () => end(undefined));
      const command: GroupCommand = {
        ...{ kind: 'group.commit', group: GROUP, generation: of, memberId: id, instanceId: this.#instance },
        ...{ groupNotFoundKnown: true, retentionMs: null, offsetMetadataBytesMax: 4_096, offsets },
      };
      replica.submit(replica.shardOf(GROUP), command, (outcome) => {
        const error =
          outcome.kind === 'ok' && outcome.reply.kind === 'commit' ? outcome.reply.error : undefined;
        this.#after(0.1, () => end(error));
      });
    });
  }

  #took(what: 'commit' | 'heartbeat', startedAt: number): void {
    const { id: member, generation: of } = this.#self();
    this.#around.history.acts.push({ what, group: GROUP, member, generation: of, startedAt });
  }

  #leave(): void {
    this.#atCoordinator((replica) => {
      const members = [{ memberId: this.#id, instanceId: this.#instance, reason: null }];
      replica.submit(replica.shardOf(GROUP), { kind: 'group.leave', group: GROUP, members }, () => undefined);
      this.#id = NOBODY;
      this.#partitions = [];
      this.#after(this.#around.random.below(800), () => this.#join());
    });
  }

  #say(what: string): void {
    this.#around.trace.note(this.#around.time.now, `${this.#name} ${what}`);
  }
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

// Kafka: ConsumerProtocolSubscription and ConsumerProtocolAssignment, version 0.

function text(w: ByteWriter, value: string): void {
  w.u8(value.length >> 8);
  w.u8(value.length & 0xff);
  w.raw(Buffer.from(value));
}

function subscription(): Buffer {
  const w = new ByteWriter(64);
  w.raw(Buffer.from([0, 0]));
  w.i32(1);
  text(w, TOPIC);
  w.i32(-1);
  return w.copy();
}

function assignment(partitions: readonly number[]): Buffer {
  const w = new ByteWriter(64);
  w.raw(Buffer.from([0, 0]));
  w.i32(1);
  text(w, TOPIC);
  w.i32(partitions.length);
  for (const partition of partitions) w.i32(partition);
  w.i32(-1);
  return w.copy();
}

/** Of an assignment of one topic at most. */
function partitionsOf(bytes: Uint8Array): readonly number[] {
  const b = Buffer.from(bytes);
  if (b.length < 6 || b.readInt32BE(2) === 0) return [];
  const at = 8 + b.readInt16BE(6);
  return range(b.readInt32BE(at)).map((index) => b.readInt32BE(at + 4 + 4 * index));
}
