import type { ReplicaId } from '../kernel/index.js';
import type { DiskIdentity } from './ports.js';

/** What was heard is written to disk when nothing more has come for QUIET_MS, and every SAVE_EVERY_MS meanwhile. Milliseconds. */
const QUIET_MS = 500;
const SAVE_EVERY_MS = 5_000;

/**
 * How far the disks of the cluster have come, as their replicas said. A disk that is behind what its replica once said is an
 * older copy, which has forgotten promises. Its peers tell it so before it votes (formation.ts waits for a quorum of them).
 */
export class DiskPositions {
  readonly #heard = new Map<string, number>();
  #changed = false;
  #changedAt = -Infinity;
  #savedAt = -Infinity;
  /** What was told to the peers last. */
  #told = -1;

  restore(identity: DiskIdentity): void {
    for (const [id, position] of Object.entries(identity.positions ?? {})) this.#heard.set(id, position);
  }
  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#heard);
  }

  forget(isGone: (id: string) => boolean): void {
    for (const id of this.#heard.keys()) if (isGone(id)) this.#heard.delete(id);
  }

  heard(from: ReplicaId, position: number, now: number): void {
    const known = this.#heard.get(String(from));
    if (position <= (known ?? -1)) return;
    // An older copy of a disk of which nothing at all is written down would be taken for the newest.
    if (known === undefined) this.#savedAt = -Infinity;
    this.#heard.set(String(from), position);
    this.#changed = true;
    this.#changedAt = now;
  }

  /** What to write to disk now; undefined when nothing is new, or it was written a moment ago. */
  toSave(now: number): Readonly<Record<string, number>> | undefined {
    if (!this.#changed) return undefined;
    if (now - this.#changedAt < QUIET_MS && now - this.#savedAt < SAVE_EVERY_MS) return undefined;
    this.#changed = false;
    this.#savedAt = now;
    return this.all;
  }
  /** What to tell the peers: undefined when they were told. */
  toTell(position: number): number | undefined {
    if (position === this.#told) return undefined;
    return (this.#told = position);
  }
}
