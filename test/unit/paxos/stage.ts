import {
  assertNever,
  type MonotonicMs,
  monotonicMs,
  replicaId,
  type Slot,
  slot,
} from '../../../src/kernel/index.js';
import {
  createPaxos,
  decodeMessage,
  type Configuration,
  type Effect,
  encodeMessage,
  formatBallot,
  type Input,
  type Message,
  type PaxosOptions,
  type PaxosStatus,
  quorumSystem,
  type Send,
} from '../../../src/paxos/index.js';
import { type Actor, newActor, type Persist } from './actor.js';
import { Schedule } from './schedule.js';
import { BOUNDS, type StageOptions, TIMES } from './stage-options.js';
import { tellMessage, tellRecord } from './story.js';
import { isBeat, Telling } from './telling.js';
import { valueText } from './value.js';

/** A message on its way. */
export interface Letter {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}
/** What the network does with a letter: brings it, loses it, keeps it until told, or brings it twice. */
export type Post = 'deliver' | 'lose' | 'hold' | 'double';

const diskOf = (id: number): string => `disk of ${id}`;

const NETWORK_MS = 1;
const DISK_MS = 1;
const TICK_MS = 5;

/**
 * Pure cores whose network, disks and clocks a scenario directs by hand. Everything takes exactly a millisecond, so a
 * run has no chance in it, and what happens is written down.
 */
export class Stage {
  readonly #actors: Actor[] = [];
  readonly #options: Required<StageOptions>;
  readonly #schedule = new Schedule();
  readonly #telling: Telling;
  #held: Letter[] = [];
  readonly #cut = new Set<string>();
  #post: (letter: Letter) => Post = () => 'deliver';
  #plans: { readonly holds: () => boolean; readonly act: () => void }[] = [];
  #nextId = 1;
  /** What any replica has called chosen, by slot. */
  readonly chosen = new Map<number, string>();
  /** What clients were told, in order: `a chosen`, `b outcome-unknown`, `read 3 ready` ... */
  readonly answers: string[] = [];
  /** Who began to serve, in order: `r1 1.2@1`. */
  readonly served: string[] = [];
  readonly #proposed = new Map<string, string>();

  constructor(title: string, options: StageOptions = {}) {
    const replicas = options.replicas ?? 3;
    this.#options = {
      replicas,
      members: options.members ?? replicas,
      priorities: options.priorities ?? Array.from({ length: replicas }, (_, i) => replicas - 1 - i),
      chunkBytesMax: options.chunkBytesMax ?? 1024,
      leaseMs: options.leaseMs ?? TIMES.leaseMs,
      quorums: options.quorums ?? { kind: 'majority' },
    };
    this.#telling = new Telling(title, () => this.time);
    for (let id = 1; id <= replicas; id++) this.#actors.push(newActor(replicaId(id)));
    for (const actor of this.#actors) this.#boot(actor);
  }

  get time(): number {
    return this.#schedule.now;
  }

  // ---- what a scenario may do ----

  /** A sentence of the story. */
  say(sentence: string): void {
    this.#telling.say(sentence);
  }

  /** Without writing down. */
  mute(muted: boolean): void {
    this.#telling.mute(muted);
  }

  /** A line of the trace that no step tells. */
  note(line: string): void {
    this.#telling.note(line);
  }

  /** Acts once, right after the first event after which something holds. */
  once(holds: () => boolean, act: () => void): void {
    this.#plans.push({ holds, act });
  }

  run(ms: number): void {
    this.#until(() => false, this.time + ms);
  }

  /** Runs until something holds, and fails when it does not within `withinMs`. */
  runUntil(what: string, holds: () => boolean, withinMs = 1_400): void {
    if (!this.#until(holds, this.time + withinMs))
      throw new Error(`within ${withinMs} ms: ${what} (at ${this.time} ms)\n${this.text()}`);
  }

  propose(id: number, ...values: string[]): void {
    const proposals = values.map((text) => {
      const proposal = this.#nextId++;
      this.#proposed.set(`${id}/${proposal}`, text);
      return { id: proposal, payload: Buffer.from(text) };
    });
    this.#step(this.#actor(id), { kind: 'propose', proposals });
  }

  /** Ends the configuration: these replicas are in the next one. */
  reconfigure(id: number, ...replicas: number[]): void {
    const members = replicas.map((each) => ({ id: replicaId(each), incarnation: diskOf(each) }));
    const proposal = this.#nextId++;
    const { number } = this.status(id).configuration;
    const next: Configuration = { number: number + 1, members, quorums: { kind: 'majority' } };
    this.#proposed.set(`${id}/${proposal}`, valueText({ kind: 'seal', next }));
    this.#step(this.#actor(id), { kind: 'reconfigure', id: proposal, next });
  }

  read(id: number): void {
    this.#step(this.#actor(id), { kind: 'read', id: this.#nextId++ });
  }

  transfer(from: number, to: number): void {
    this.#step(this.#actor(from), { kind: 'transfer', to: replicaId(to) });
  }

  /** The shell of a replica was told that the process of another has ended. */
  tellDied(id: number, peer: number): void {
    this.#step(this.#actor(id), { kind: 'peerDied', peer: replicaId(peer) });
  }

  /** Does nothing at all for a while, and then notices. What arrives meanwhile waits. */
  stall(id: number, ms: number): void {
    const actor = this.#actor(id);
    actor.stalledUntil = this.time + ms;
    this.#at(ms, () => this.#step(actor, { kind: 'stalled', ms }));
  }

  /** Loses its memory and what its disk has not acknowledged, save for the first `survives` writes. */
  crash(id: number, survives = 0): void {
    const actor = this.#actor(id);
    actor.core = undefined;
    actor.life++;
    for (const { records } of actor.writes.slice(0, survives)) actor.disk.push(...records);
    this.#telling.tell(
      actor.id,
      `CRASH, ${actor.writes.length} writes under way, ${survives} of them reach the disk`,
    );
    actor.writes = [];
  }

  restart(id: number): void {
    const actor = this.#actor(id);
    this.#boot(actor);
    const { promised, lastSlot, chosenThrough } = this.status(id);
    this.#telling.tell(
      actor.id,
      `RESTART: remembers promise ${formatBallot(promised)}, log through ${lastSlot}, chosen ${chosenThrough}`,
    );
  }

  /** From now on nothing goes from the one to the other. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }
  cutBoth(a: number, b: number): void {
    this.cut(a, b);
    this.cut(b, a);
  }
  isolate(id: number): void {
    for (const { id: other } of this.#actors) if (other !== id) this.cutBoth(id, other);
  }
  heal(): void {
    this.#cut.clear();
  }

  /** What happens to letters sent from now on. */
  post(rule: (letter: Letter) => Post): void {
    this.#post = rule;
  }

  /** Brings the letters that were held, in the order of a sort if one is given. */
  release(compare?: (a: Letter, b: Letter) => number): void {
    const letters = compare === undefined ? this.#held : [...this.#held].sort(compare);
    this.#held = [];
    for (const letter of letters) this.#carry(letter);
  }

  stopDisk(id: number): void {
    this.#actor(id).diskStopped = true;
  }
  startDisk(id: number): void {
    const actor = this.#actor(id);
    actor.diskStopped = false;
    for (const write of actor.writes) this.#finishLater(actor, write);
  }

  // ---- what a scenario may ask ----

  status(id: number): PaxosStatus {
    const actor = this.#actor(id);
    if (actor.core === undefined) throw new Error(`replica ${id} is down`);
    return actor.core.status(this.#now());
  }
  isServing(id: number): boolean {
    const actor = this.#actor(id);
    return actor.core !== undefined && this.status(id).leadership.serving;
  }
  /** The values that a replica was told to apply in this life, oldest first. */
  values(id: number): readonly string[] {
    return this.#actor(id).values;
  }
  writesUnderWay = (id: number): number => this.#actor(id).writes.length;
  /** How many writes it has begun, in all its lives. */
  writesBegun(id: number): number {
    return this.#actor(id).writesBegun;
  }
  recordsUnderWay(id: number): string {
    const records = this.#actor(id).writes.flatMap((write) => write.records);
    return records.map(tellRecord).join('; ') || 'nothing new';
  }

  text(): string {
    return this.#telling.text();
  }

  // ---- the machinery ----

  #actor(id: number): Actor {
    return this.#actors[id - 1]!;
  }

  #now(): MonotonicMs {
    return monotonicMs(this.time);
  }

  #boot(actor: Actor): void {
    actor.life++;
    actor.values = [];
    actor.serving = false;
    const { life } = actor;
    const replicas = this.#actors.map(({ id }) => id).slice(0, this.#options.members);
    const options: PaxosOptions = {
      ...TIMES,
      ...BOUNDS,
      votes: true,
      self: actor.id,
      configuration: { number: 1, replicas, quorums: quorumSystem(this.#options.quorums, replicas) },
      incarnation: diskOf(actor.id),
      priority: this.#options.priorities[actor.id - 1]!,
      chunkBytesMax: this.#options.chunkBytesMax,
      leaseMs: this.#options.leaseMs,
      seed: actor.id,
    };
    actor.core = createPaxos(options, { records: actor.disk, snapshotThrough: slot(0) }, this.#now());
    const tick = (): void => {
      if (actor.life !== life) return;
      this.#step(actor, { kind: 'tick' });
      this.#at(TICK_MS, tick);
    };
    this.#at(actor.id - 1, tick);
  }

  #at(delay: number, run: () => void): void {
    this.#schedule.after(delay, run);
  }

  #until(holds: () => boolean, end: number): boolean {
    while (!holds()) {
      if (!this.#schedule.runNext(end)) return holds();
      const due = this.#plans.filter((plan) => plan.holds());
      this.#plans = this.#plans.filter((plan) => !due.includes(plan));
      for (const plan of due) plan.act();
    }
    return true;
  }

  #step(actor: Actor, input: Input): void {
    if (actor.core === undefined) return;
    if (this.time < actor.stalledUntil) {
      const { life } = actor;
      return this.#at(actor.stalledUntil - this.time, () => {
        if (actor.life === life) this.#step(actor, input);
      });
    }
    const effects = actor.core.step(input, this.#now());
    actor.core.checkInvariants();
    this.#telling.tellStep(actor.id, input, effects);
    for (const effect of effects) this.#perform(actor, effect);
  }

  #perform(actor: Actor, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(actor, effect);
      case 'persist':
        actor.writes.push(effect);
        actor.writesBegun++;
        if (!actor.diskStopped) this.#finishLater(actor, effect);
        return;
      case 'chosen':
        return this.#apply(actor, effect);
      case 'proposalsFailed':
        for (const id of effect.ids)
          this.answers.push(`${this.#proposed.get(`${actor.id}/${id}`)} ${effect.reason}`);
        return;
      case 'readReady':
        for (const id of effect.ids) this.answers.push(`read ${id} ready`);
        return;
      case 'readsFailed':
        for (const id of effect.ids) this.answers.push(`read ${id} failed`);
        return;
      case 'leadership': {
        const { serving, ballot } = effect.leadership;
        if (serving && !actor.serving) this.served.push(`r${actor.id} ${formatBallot(ballot)}`);
        actor.serving = serving;
        return;
      }
      case 'snapshotNeeded':
        return;
      case 'fatal':
        throw new Error(`replica ${actor.id}: ${effect.reason}\n${this.text()}`);
      default:
        return assertNever(effect);
    }
  }

  #finishLater(actor: Actor, write: Persist): void {
    const { life } = actor;
    this.#at(DISK_MS, () => {
      if (actor.life !== life || actor.diskStopped) return;
      const place = actor.writes.indexOf(write);
      if (place < 0) return;
      for (const { records, then } of actor.writes.splice(0, place + 1)) {
        actor.disk.push(...records);
        for (const send of then) this.#send(actor, send);
      }
      if (write.sync) this.#step(actor, { kind: 'persisted', id: write.id });
    });
  }

  #send(actor: Actor, { to, message }: Send): void {
    const letter: Letter = { from: actor.id, to, message: decodeMessage(encodeMessage(message)) };
    const fate = this.#cut.has(`${actor.id}>${to}`) ? 'lose' : this.#post(letter);
    if (fate !== 'deliver' && !isBeat(message))
      this.#telling.tell(
        actor.id,
        `-> r${to}  ${{ lose: 'LOST', hold: 'HELD', double: 'DOUBLED' }[fate]}: ${tellMessage(message)}`,
      );
    if (fate === 'hold') this.#held.push(letter);
    if (fate === 'deliver' || fate === 'double') this.#carry(letter);
    if (fate === 'double') this.#carry(letter);
  }

  #carry({ from, to, message }: Letter): void {
    this.#at(NETWORK_MS, () => {
      this.#step(this.#actor(to), { kind: 'message', from: replicaId(from), message });
    });
  }

  #apply(actor: Actor, { firstSlot, entries, proposals }: Extract<Effect, { kind: 'chosen' }>): void {
    entries.forEach((entry, i) => {
      const position: Slot = slot(firstSlot + i);
      const text = valueText(entry);
      const known = this.chosen.get(position);
      if (known !== undefined && known !== text)
        throw new Error(`slot ${position} is ${known}, and replica ${actor.id} has ${text}\n${this.text()}`);
      this.chosen.set(position, text);
      if (position !== actor.values.length + 1)
        throw new Error(
          `replica ${actor.id} holds ${actor.values.length} values and is told slot ${position}`,
        );
      actor.values.push(text);
      const ours = proposals[i];
      if (ours !== undefined) this.answers.push(`${this.#proposed.get(`${actor.id}/${ours}`)} chosen`);
    });
    this.#step(actor, { kind: 'applied', through: slot(actor.values.length) });
  }
}
