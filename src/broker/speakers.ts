import type { GroupId, MemberId, MonotonicMs } from '../kernel/index.js';
import type { Clock, Coordinator } from '../replica/index.js';

/** A gap between two requests that was long is forgotten slowly. */
const GAP_DECAY = 0.9;
/** So much later than usual a heartbeat may come: this share of the grace. */
const LATE_RATIO = 1 / 3;
/** How often is looked whether somebody is gone. Milliseconds. */
const LOOK_MS = 100;

/** A connection, as far as members speak through it. */
export interface SpeakingConnection {
  /** Requests without an answer: a client that lives sees at once that the connection has ended. */
  readonly inFlight: number;
  readonly isClosed: boolean;
}

interface Speech {
  readonly group: GroupId;
  readonly member: MemberId;
  by: SpeakingConnection;
  at: MonotonicMs;
  gapMs: number;
}
interface Gone {
  readonly group: GroupId;
  readonly member: MemberId;
  dueAt: number;
}

/**
 * Through which connection each dynamic member speaks. When that ends without a leave, and the member is not back within the
 * grace, its session ends: a process that died is missed in seconds. It is not ended
 *
 * - before its next heartbeat is overdue: a client may see only then that its connection has gone;
 * - while nobody else of its group has a connection: then a network is gone, or a proxy, and nobody could take over;
 * - by a replica that has not heard the member since it leads: then others may have.
 *
 * Soft state of one replica. A connection that ends here for another reason (idle, not reading, the replica stops) says nothing.
 */
export class Speakers {
  readonly #coordinator: Coordinator;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #graceMs: number;
  /** Of the members that speak through an open connection. A group without such members is not in here. */
  readonly #speeches = new Map<GroupId, Map<MemberId, Speech>>();
  readonly #byConnection = new Map<SpeakingConnection, Set<Speech>>();
  readonly #gone = new Map<string, Gone>();
  #looking = false;

  constructor(coordinator: Coordinator, clock: Pick<Clock, 'after'>, graceMs: number) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** A request of the member was taken. */
  spoke(group: GroupId, member: MemberId, by: SpeakingConnection): void {
    if (this.#graceMs === 0) return;
    const now = this.#coordinator.now();
    const speech = this.#speeches.get(group)?.get(member);
    this.returned(group, member);
    if (speech === undefined) {
      this.#begin({ group, member, by, at: now, gapMs: this.#graceMs });
    } else {
      speech.gapMs = Math.max(now - speech.at, speech.gapMs * GAP_DECAY);
      speech.at = now;
      if (speech.by === by) return;
      this.#detach(speech);
      speech.by = by;
      this.#attach(speech);
    }
    // It ended while the request was under way.
    if (by.isClosed) this.ended(by);
  }

  /** A request of the member has come, and may be taken. */
  returned(group: GroupId, member: MemberId): void {
    if (this.#gone.size > 0) this.#gone.delete(keyOf(group, member));
  }

  /** It is no member any more. */
  left(group: GroupId, member: MemberId): void {
    this.returned(group, member);
    const speech = this.#speeches.get(group)?.get(member);
    if (speech === undefined) return;
    this.#detach(speech);
    this.#end(speech);
  }

  /** A client has ended the connection, or the network has. */
  ended(by: SpeakingConnection): void {
    const now = this.#coordinator.now();
    for (const { group, member, at, gapMs } of this.#forget(by)) {
      const overdueAt = by.inFlight > 0 ? 0 : at + gapMs + this.#graceMs * LATE_RATIO;
      const dueAt = Math.max(now + this.#graceMs, overdueAt);
      this.#gone.set(keyOf(group, member), { group, member, dueAt });
    }
    this.#lookLater();
  }
  /** The connection was ended here. */
  dropped(by: SpeakingConnection): void {
    this.#forget(by);
  }

  #forget(by: SpeakingConnection): ReadonlySet<Speech> {
    const speeches = this.#byConnection.get(by) ?? new Set<Speech>();
    this.#byConnection.delete(by);
    for (const speech of speeches) this.#end(speech);
    return speeches;
  }
  #begin(speech: Speech): void {
    const ofGroup = this.#speeches.get(speech.group);
    if (ofGroup === undefined) this.#speeches.set(speech.group, new Map([[speech.member, speech]]));
    else ofGroup.set(speech.member, speech);
    this.#attach(speech);
  }
  #end({ group, member }: Speech): void {
    const ofGroup = this.#speeches.get(group);
    ofGroup?.delete(member);
    if (ofGroup?.size === 0) this.#speeches.delete(group);
  }
  #attach(speech: Speech): void {
    const all = this.#byConnection.get(speech.by);
    if (all === undefined) this.#byConnection.set(speech.by, new Set([speech]));
    else all.add(speech);
  }
  #detach(speech: Speech): void {
    const all = this.#byConnection.get(speech.by);
    all?.delete(speech);
    if (all?.size === 0) this.#byConnection.delete(speech.by);
  }

  #lookLater(): void {
    if (this.#looking || this.#gone.size === 0) return;
    this.#looking = true;
    this.#clock.after(LOOK_MS, () => {
      this.#looking = false;
      this.#look();
      this.#lookLater();
    });
  }
  #look(): void {
    const coordinator = this.#coordinator;
    const now = coordinator.now();
    for (const [key, gone] of this.#gone) {
      if (gone.dueAt > now) continue;
      const { group, member } = gone;
      if (!coordinator.serves(coordinator.shardOf(group)) || !coordinator.heard(group, member)) {
        this.#gone.delete(key);
        continue;
      }
      // Again until it is gone: the session of one that waits at a barrier begins anew there.
      gone.dueAt = now + this.#graceMs;
      if (this.#speeches.has(group)) coordinator.endSession(group, member);
    }
  }
}

const keyOf = (group: GroupId, member: MemberId): string => `${group}\u0000${member}`;
