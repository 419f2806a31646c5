import type { MemberId } from '../../kernel/index.js';
import type { JoinProtocol } from '../types/commands.js';
import type { ClassicMember } from './member.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The members of a group in the order of their first joins, which assignors see, and the counts that a request needs.
 * A group may have as many members as `groupSizeMax` says, so no request of one member may look at all of them.
 */
export class Roster {
  /** By place. A member that takes over another one keeps its place. */
  readonly #members = new Map<number, ClassicMember>();
  readonly #places = new Map<MemberId, number>();
  /** How many members support a protocol. */
  readonly #supporters = new Map<string, number>();
  #nextPlace = 0;
  #waiting = 0;
  #unsynced = 0;

  get size(): number {
    return this.#places.size;
  }
  /** How many wait at the barrier. */
  get waiting(): number {
    return this.#waiting;
  }
  /** How many have not sent SyncGroup in this generation. */
  get unsynced(): number {
    return this.#unsynced;
  }
  has(id: MemberId): boolean {
    return this.#places.has(id);
  }
  get(id: MemberId): ClassicMember | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#members.get(place);
  }
  values(): IterableIterator<ClassicMember> {
    return this.#members.values();
  }
  /** Whether every member supports the protocol. */
  allSupport(protocol: string): boolean {
    return this.#supporters.get(protocol) === this.size;
  }

  /** The protocols that every member supports. */
  supportedByAll(): readonly string[] {
    return [...this.#supporters].filter(([, count]) => count === this.size).map(([name]) => name);
  }

  add(member: ClassicMember): void {
    const place = this.#nextPlace++;
    this.#members.set(place, member);
    this.#places.set(member.memberId, place);
    this.#count(member, 1);
  }

  remove(member: ClassicMember): void {
    const place = this.#places.get(member.memberId);
    if (place === undefined) return;
    this.#places.delete(member.memberId);
    this.#members.delete(place);
    this.#count(member, -1);
  }

  /** `next` takes the place of `old`. */
  replace(old: ClassicMember, next: ClassicMember): void {
    const place = this.#places.get(old.memberId)!;
    this.#places.delete(old.memberId);
    this.#count(old, -1);
    this.#members.set(place, next);
    this.#places.set(next.memberId, place);
    this.#count(next, 1);
  }

  setWaiting(member: Writable<ClassicMember>, waiting: boolean): void {
    if (member.waiting !== waiting) this.#waiting += waiting ? 1 : -1;
    member.waiting = waiting;
  }

  setPendingSync(member: Writable<ClassicMember>, pendingSync: boolean): void {
    if (member.pendingSync !== pendingSync) this.#unsynced += pendingSync ? 1 : -1;
    member.pendingSync = pendingSync;
  }

  setProtocols(member: Writable<ClassicMember>, protocols: readonly JoinProtocol[]): void {
    this.#countProtocols(member.protocols, -1);
    member.protocols = protocols;
    this.#countProtocols(protocols, 1);
  }

  #count({ waiting, pendingSync, protocols }: ClassicMember, by: 1 | -1): void {
    if (waiting) this.#waiting += by;
    if (pendingSync) this.#unsynced += by;
    this.#countProtocols(protocols, by);
  }

  #countProtocols(protocols: readonly JoinProtocol[], by: 1 | -1): void {
    // A client may list a name twice; it is one supporter all the same.
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      const count = (this.#supporters.get(name) ?? 0) + by;
      if (count === 0) this.#supporters.delete(name);
      else this.#supporters.set(name, count);
    }
  }
}
