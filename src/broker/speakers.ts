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
  readonly #speeches = new Map<string, Speech>();
  readonly #byConnection = new Map<SpeakingConnection, Map<string, Speech>>();
  /** How many members of each group speak through an open connection. */
  readonly #open = new Map<GroupId, number>();
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
    const key = keyOf(group, member);
    const now = this.#coordinator.now();
    const speech = this.#speeches.get(key);
    this.#gone.delete(key);
    if (speech === undefined) {
      this.#begin(key, { group, member, by, at: now, gapMs: this.#graceMs });
    } else {
      speech.gapMs = Math.max(now - speech.at, speech.gapMs * GAP_DECAY);
      speech.at = now;
      if (speech.by === by) return;
      this.#detach(key, speech);
      speech.by = by;
      this.#attach(key, speech);
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
    const key = keyOf(group, member);
    this.#gone.delete(key);
    const speech = this.#speeches.get(key);
    if (speech === undefined) return;
    this.#detach(key, speech);
    this.#end(key, speech);
  }

  /** A client has ended the connection, or the network has. */
  ended(by: SpeakingConnection): void {
    const now = this.#coordinator.now();
    for (const [key, speech] of this.#forget(by)) {
      const { group, member, at, gapMs } = speech;
      const overdueAt = by.inFlight > 0 ? 0 : at + gapMs + this.#graceMs * LATE_RATIO;
      this.#gone.set(key, { group, member, dueAt: Math.max(now + this.#graceMs, overdueAt) });
    }
    this.#lookLater();
  }
  /** The connection was ended here. */
  dropped(by: SpeakingConnection): void {
    this.#forget(by);
  }

  #forget(by: SpeakingConnection): ReadonlyMap<string, Speech> {
    const speeches = this.#byConnection.get(by) ?? new Map<string, Speech>();
    this.#byConnection.delete(by);
    for (const [key, speech] of speeches) this.#end(key, speech);
    return speeches;
  }
  #begin(key: string, speech: Speech): void {
    this.#speeches.set(key, speech);
    this.#open.set(speech.group, (this.#open.get(speech.group) ?? 0) + 1);
    this.#attach(key, speech);
  }
  #end(key: string, { group }: Speech): void {
    this.#speeches.delete(key);
    const open = this.#open.get(group)! - 1;
    if (open === 0) this.#open.delete(group);
    else this.#open.set(group, open);
  }
  #attach(key: string, speech: Speech): void {
    const all = this.#byConnection.get(speech.by);
    if (all === undefined) this.#byConnection.set(speech.by, new Map([[key, speech]]));
    else all.set(key, speech);
  }
  #detach(key: string, { by }: Speech): void {
    const all = this.#byConnection.get(by);
    all?.delete(key);
    if (all?.size === 0) this.#byConnection.delete(by);
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
      if (this.#open.has(group)) coordinator.endSession(group, member);
    }
  }
}

const keyOf = (group: GroupId, member: MemberId): string => `${group}\u0000${member}`;
