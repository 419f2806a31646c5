import type { ReplicaId, ShardId } from '../kernel/index.js';
import { decodeFrame } from '../replica/index.js';

/** How many events of each replica an event knows of, by replica. */
type VectorClock = Readonly<Record<number, number>>;

interface MessageDrawn {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly sentAt: number;
  arrivedAt: number | undefined;
  readonly what: string;
  /** Only heartbeats and what may be lost as well. */
  readonly minor: boolean;
  readonly sent: VectorClock;
  arrived: VectorClock | undefined;
}

interface Span {
  readonly from: number;
  to: number;
  readonly text: string;
}

/** What a shard of a replica looks like at a moment. */
export interface ShardSeen {
  readonly leads: boolean;
  /** Of the ballot. */
  readonly round: number;
  readonly text: string;
}

/** All that a space-time diagram shows. Times in milliseconds of the world. */
export interface Drawing {
  readonly title: string;
  readonly replicas: readonly ReplicaId[];
  readonly endsAt: number;
  readonly shards: number;
  readonly messages: readonly MessageDrawn[];
  readonly lives: Readonly<Record<number, readonly Span[]>>;
  readonly pauses: Readonly<Record<number, readonly Span[]>>;
  readonly cuts: readonly (Span & { readonly between: readonly [ReplicaId, ReplicaId] })[];
  readonly states: Readonly<
    Record<number, readonly { readonly at: number; readonly shards: readonly ShardSeen[] }[]>
  >;
  readonly notes: readonly { readonly at: number; readonly text: string }[];
  readonly violation: string | undefined;
}

/** Gathers what a diagram of one world shows. Messages carry vector clocks, so that the diagram knows what led to what. */
export class Recorder {
  readonly #now: () => number;
  readonly #messages: MessageDrawn[] = [];
  readonly #lives: Record<number, Span[]> = {};
  readonly #pauses: Record<number, Span[]> = {};
  readonly #cuts: { from: number; to: number; text: string; between: readonly [ReplicaId, ReplicaId] }[] = [];
  readonly #states: Record<number, { at: number; shards: readonly ShardSeen[] }[]> = {};
  readonly #notes: { at: number; text: string }[] = [];
  readonly #clocks = new Map<ReplicaId, Record<number, number>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  #tick(id: ReplicaId, with_?: VectorClock): VectorClock {
    const clock = this.#clocks.get(id) ?? {};
    this.#clocks.set(id, clock);
    for (const [other, count] of Object.entries(with_ ?? {}))
      clock[Number(other)] = Math.max(clock[Number(other)] ?? 0, count);
    clock[id] = (clock[id] ?? 0) + 1;
    return { ...clock };
  }

  /** Returns what to call when it arrives. */
  sent(from: ReplicaId, to: ReplicaId, bytes: Buffer): () => void {
    const frame = decodeFrame(bytes);
    const parts =
      frame.kind === 'paxos'
        ? frame.messages.map(({ shard, message }) => `${message.kind} of shard ${shard}`)
        : [frame.kind];
    const message: MessageDrawn = {
      ...{ from, to, sentAt: this.#now(), arrivedAt: undefined },
      what: parts.join(', '),
      minor: parts.every((part) => /^(heartbeat|position|audit)/.test(part)),
      sent: this.#tick(from),
      arrived: undefined,
    };
    this.#messages.push(message);
    return () => {
      message.arrivedAt = this.#now();
      message.arrived = this.#tick(to, message.sent);
    };
  }

  began(id: ReplicaId): void {
    (this.#lives[id] ??= []).push({ from: this.#now(), to: Infinity, text: '' });
  }
  ended(id: ReplicaId, text: string): void {
    const last = this.#lives[id]?.at(-1);
    if (last === undefined) return;
    this.#lives[id]!.splice(-1, 1, { ...last, to: this.#now(), text });
  }
  paused(id: ReplicaId, until: number): void {
    (this.#pauses[id] ??= []).push({ from: this.#now(), to: until, text: 'stopped' });
  }
  cut(from: ReplicaId, to: ReplicaId): void {
    const open = this.#cuts.some((each) => each.to === Infinity && each.text === `${from} to ${to} was cut`);
    if (open) return;
    this.#cuts.push({
      from: this.#now(),
      to: Infinity,
      text: `${from} to ${to} was cut`,
      between: [from, to],
    });
  }
  mended(from: ReplicaId, to: ReplicaId): void {
    for (const cut of this.#cuts)
      if (cut.to === Infinity && cut.between[0] === from && cut.between[1] === to) cut.to = this.#now();
  }
  healed(): void {
    for (const cut of this.#cuts) cut.to = Math.min(cut.to, this.#now());
  }
  looked(id: ReplicaId, shards: readonly ShardSeen[]): void {
    (this.#states[id] ??= []).push({ at: this.#now(), shards });
  }
  note(text: string): void {
    this.#notes.push({ at: this.#now(), text });
  }

  drawing(
    title: string,
    replicas: readonly ReplicaId[],
    shards: number,
    violation: string | undefined,
  ): Drawing {
    return {
      ...{ title, replicas, shards, violation, endsAt: this.#now() },
      ...{ messages: this.#messages, lives: this.#lives, pauses: this.#pauses },
      ...{ cuts: this.#cuts, states: this.#states, notes: this.#notes },
    };
  }
}

/** What a look at a replica's shards gives to a diagram. */
export function shardsSeen(
  shards: readonly {
    readonly shard: ShardId;
    readonly leadership: { readonly role: string; readonly serving: boolean };
    readonly promised: { readonly round: number };
    readonly appliedThrough: number;
    readonly chosenThrough: number;
    readonly lastSlot: number;
  }[],
): readonly ShardSeen[] {
  return shards.map(
    ({ leadership: { role, serving }, promised, appliedThrough, chosenThrough, lastSlot }) => ({
      leads: role === 'leader',
      round: promised.round,
      text: `${serving ? 'serving ' : ''}${role}, promised round ${promised.round}, applied ${appliedThrough}, chosen ${chosenThrough}, last slot ${lastSlot}`,
    }),
  );
}
