import {
  ByteWriter,
  type Generation,
  generation,
  groupId,
  instanceId,
  type InstanceId,
  memberId,
  type MemberId,
} from '../kernel/index.js';
import type { ApiKey, RequestInputByKey, ResponseByKey } from '../wire/index.js';
import type { ClientSurroundings } from './clients.js';
import type { FencedStore, Lease } from './fenced-store.js';
import { errorNamed, KafkaClient } from './kafka-client.js';
import { LeaseWorker } from './lease-worker.js';

export const MEMBERS_GROUP = 'members';
const GROUP = groupId(MEMBERS_GROUP);
const TOPIC = 'work';
export const PARTITIONS = 6;
export const SESSION_MS = 1_200;
const REBALANCE_MS = 1_500;
const HEARTBEAT_MS = 250;
/** How long a member waits for an answer before it asks again. Milliseconds. */
const ANSWER_MS = 3_000;
/** The same of a join or sync, which waits for others. Milliseconds. */
const PARKED_MS = 8_000;
const NOBODY = memberId('');

/**
 * A member of a classic group, as clients are: it speaks Kafka's protocol with the broker of its coordinator, joins, leads
 * when it is told to, syncs, heartbeats, commits and leaves; some have a name that outlives them; at times one falls silent,
 * misses its session, and goes on as if nothing had been; some end for good without a word.
 */
export class Member {
  readonly #around: ClientSurroundings;
  readonly #client: KafkaClient;
  readonly #name: string;
  readonly #instance: InstanceId | null;
  readonly #joinVersion: number;
  readonly #work: LeaseWorker;
  readonly #goneAt: number;
  #id: MemberId = NOBODY;
  #generation: Generation = generation(-1);
  #partitions: readonly number[] = [];
  #settled = false;
  #committed = false;
  /** When it sent the last heartbeat that was answered well. */
  heardAt = 0;
  /** How often it was told that it is no member any more. */
  expulsions = 0;
  /** When an answer came last that took so long that others may have missed a heartbeat. */
  #waitedLongAt = -Infinity;
  /** Counts what it waits for, so that a late answer is known as such. */
  #turn = 0;

  /** `goneAt`: ends for good at this time of the world. */
  constructor(
    around: ClientSurroundings,
    store: FencedStore,
    name: string,
    goneAt = Number.POSITIVE_INFINITY,
  ) {
    this.#around = around;
    this.#name = name;
    this.#goneAt = goneAt;
    const { random } = around;
    this.#client = new KafkaClient(name, around);
    this.#instance = random.chance(0.3) ? instanceId(name) : null;
    this.#joinVersion = random.pick([5, 9]);
    this.#work = new LeaseWorker(around, store, name, () => this.gone);
    this.#after(random.below(300), () => this.#join());
  }

  get gone(): boolean {
    return this.#around.time.now >= this.#goneAt;
  }
  /** What it owns in its generation; undefined while it joins. */
  get owned(): { readonly generation: Generation; readonly partitions: readonly number[] } | undefined {
    return this.#settled ? { generation: this.#generation, partitions: this.#partitions } : undefined;
  }

  #after(delayMs: number, next: () => void): void {
    this.#around.time.after(delayMs, () => {
      if (!this.gone) next();
      else this.#settled = false;
    });
  }

  /** `end` gets the answer, or nothing after a while. Once. */
  #ask<K extends ApiKey>(
    key: K,
    version: number,
    request: RequestInputByKey[K],
    end: (response: ResponseByKey[K] | undefined) => void,
  ): void {
    const turn = ++this.#turn;
    const { time } = this.#around;
    const askedAt = time.now;
    const finish = (response: ResponseByKey[K] | undefined): void => {
      if (turn !== this.#turn || this.gone) return;
      this.#turn++;
      if (time.now - askedAt > SESSION_MS / 2) this.#waitedLongAt = time.now;
      if (response === undefined) this.#client.forgetCoordinator();
      end(response);
    };
    this.#after(key === 11 || key === 14 ? PARKED_MS : ANSWER_MS, () => {
      if (turn !== this.#turn) return;
      this.#client.leave();
      finish(undefined);
    });
    this.#client.askCoordinator(MEMBERS_GROUP, [key, version, request], finish);
  }

  /** The name of an error, as a client takes it: undefined says to look for the coordinator and ask again. */
  #error(code: number | undefined): string | undefined {
    const error = errorNamed(code);
    if (error === undefined) this.#client.forgetCoordinator();
    return error;
  }

  #join(): void {
    this.#settled = false;
    this.#ask(11, this.#joinVersion, this.#joinRequest(), (answer) => {
      const error = this.#error(answer?.errorCode);
      if (answer === undefined || error === undefined) return this.#after(100, () => this.#join());
      this.#say(`joins: ${error} ${answer.generationId}`);
      if (error === 'MEMBER_ID_REQUIRED') this.#id = memberId(answer.memberId);
      else if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') this.#lost();
      if (error !== 'NONE') return this.#after(50, () => this.#join());
      this.#id = memberId(answer.memberId);
      this.#generation = generation(answer.generationId);
      this.#around.trace.reached('a generation was formed');
      this.#told(undefined);
      this.#sync(answer);
    });
  }

  #joinRequest(): RequestInputByKey[11] {
    return {
      groupId: MEMBERS_GROUP,
      memberId: this.#id,
      groupInstanceId: this.#instance,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription() }],
    };
  }

  /** A member with a name stays who it is when it comes back under a new id. */
  #owner(): MemberId {
    return this.#instance === null ? this.#id : memberId(this.#name);
  }
  #told(partitions: readonly number[] | undefined): void {
    const { history, time } = this.#around;
    history.told.push({
      group: GROUP,
      member: this.#owner(),
      generation: this.#generation,
      at: time.now,
      partitions,
    });
  }

  /** Only the leader of a group is told its members: it deals the partitions out, unless it is told not to. */
  #sync({ members, skipAssignment }: ResponseByKey[11]): void {
    const of = this.#generation;
    const assignments = skipAssignment
      ? []
      : members.map((each, place) => ({
          memberId: each.memberId,
          assignment: assignment(range(PARTITIONS).filter((number) => number % members.length === place)),
        }));
    const request = {
      ...{ groupId: MEMBERS_GROUP, generationId: of, memberId: this.#id, groupInstanceId: this.#instance },
      ...{ protocolType: 'consumer', protocolName: 'range', assignments },
    };
    this.#ask(14, 5, request, (answer) => {
      const error = this.#error(answer?.errorCode);
      this.#say(`syncs in ${of}: ${error ?? 'no answer'}`);
      if (answer === undefined || error !== 'NONE') return this.#rejoin(error);
      this.#partitions = partitionsOf(answer.assignment);
      this.#work.owns(this.#leases(answer));
      this.#told(this.#partitions);
      this.#settled = true;
      this.#stay();
    });
  }

  #leases({ fenceTokens }: ResponseByKey[14]): readonly Lease[] {
    return fenceTokens.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, token }) => ({
        ...{ scope: `${MEMBERS_GROUP}/${topic}/${partition}`, token: BigInt(token), owner: this.#id },
      })),
    );
  }

  /** As clients do: an unknown or fenced member begins anew, any other asks under its id. */
  #rejoin(error: string | undefined): void {
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') this.#lost();
    this.#disown();
    this.#after(20, () => this.#join());
  }
  #disown(): void {
    this.#partitions = [];
    this.#settled = false;
    this.#work.owns([]);
  }
  #lost(): void {
    // Who waits for an answer sends no heartbeat.
    if (this.#around.time.now - this.#waitedLongAt > SESSION_MS) this.expulsions++;
    this.#id = NOBODY;
  }

  #stay(): void {
    const { random, trace, healed } = this.#around;
    const next = healed() ? 1 : random.next();
    if (next < 0.03) return this.#leave();
    if (next < 0.07) {
      trace.reached('a member fell silent');
      this.#settled = false;
      return this.#after(random.below(3 * SESSION_MS), () => this.#commit());
    }
    this.#after(HEARTBEAT_MS * (0.5 + random.next()), () =>
      // A commit does not tell of a rebalance: the next word is a heartbeat.
      !this.#committed && random.chance(0.6) ? this.#commit() : this.#heartbeat(),
    );
  }

  #heartbeat(): void {
    const startedAt = this.#around.time.now;
    const request = {
      ...{ groupId: MEMBERS_GROUP, generationId: this.#generation, memberId: this.#id },
      groupInstanceId: this.#instance,
    };
    this.#ask(12, 4, request, (answer) => {
      const error = this.#error(answer?.errorCode);
      if (error === 'NONE') this.#took('heartbeat', startedAt);
      if (error === 'NONE' || error === undefined) return this.#stay();
      this.#say(`is told ${error}`);
      this.#rejoin(error);
    });
  }

  /** Commits an offset of each of its partitions. */
  #commit(): void {
    const startedAt = this.#around.time.now;
    const of = this.#generation;
    const partitions = this.#partitions.map((partitionIndex) => ({
      ...{ partitionIndex, committedLeaderEpoch: -1, committedMetadata: '' },
      committedOffset: Math.floor(startedAt),
    }));
    if (partitions.length === 0) return this.#heartbeat();
    const request = {
      ...{ groupId: MEMBERS_GROUP, generationIdOrMemberEpoch: of, memberId: this.#id },
      ...{ groupInstanceId: this.#instance, topics: [{ name: TOPIC, partitions }] },
    };
    this.#ask(8, 9, request, (answer) => {
      const error = this.#error(answer?.topics[0]?.partitions[0]?.errorCode);
      this.#say(`commits in ${of}: ${error ?? 'no answer'}`);
      if (error === 'NONE') this.#took('commit', startedAt);
      else if (error !== undefined) this.#around.trace.reached('a commit of an old generation was refused');
      if (error === 'NONE' || error === undefined) return this.#stay();
      this.#rejoin(error);
    });
  }

  #took(what: 'commit' | 'heartbeat', startedAt: number): void {
    this.#settled = true;
    this.#committed = what === 'commit';
    if (what === 'heartbeat') this.heardAt = startedAt;
    this.#around.history.acts.push({
      ...{ what, group: GROUP, member: this.#id, generation: this.#generation, startedAt },
    });
  }

  #leave(): void {
    const members = [{ memberId: this.#id, groupInstanceId: this.#instance }];
    this.#disown();
    this.#ask(13, 4, { groupId: MEMBERS_GROUP, members }, () => {
      this.#id = NOBODY;
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
