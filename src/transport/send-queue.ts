export type Urgency = 'normal' | 'droppable' | 'bulk';

/** What one write carries at most, whole frames: what comes later and is more urgent waits no longer than for this. */
const PORTION_BYTES: Readonly<Record<Urgency, number>> = {
  droppable: Infinity,
  normal: 256 * 1024,
  bulk: 64 * 1024,
};
/** Heartbeats first, bulk last. */
const ORDER = ['droppable', 'normal', 'bulk'] as const;
/** Share of the queue. A heartbeat only competes with heartbeats; bulk leaves room for Paxos messages. */
const SHARE: Readonly<Record<Urgency, number>> = { normal: 1, droppable: 0.25, bulk: 0.5 };

/** What waits for one peer: a queue for each urgency, in order within it. */
export class SendQueue {
  readonly #bytesMax: number;
  readonly #frames: Readonly<Record<Urgency, Buffer[]>> = { droppable: [], normal: [], bulk: [] };
  readonly #bytes: Record<Urgency, number> = { droppable: 0, normal: 0, bulk: 0 };

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes.droppable + this.#bytes.normal + this.#bytes.bulk;
  }

  /** `unsent`: bytes that were taken from here and that the operating system has not taken yet. */
  hasRoomFor(length: number, urgency: Urgency, unsent: number): boolean {
    const held = urgency === 'droppable' ? this.#bytes.droppable : this.bytes + unsent;
    return held + length <= this.#bytesMax * SHARE[urgency];
  }

  push(urgency: Urgency, frame: Buffer): void {
    this.#frames[urgency].push(frame);
    this.#bytes[urgency] += frame.length;
  }

  /** What the next write carries: all heartbeats, then Paxos messages, and bulk where those leave room. */
  take(): Buffer {
    const portion: Buffer[] = [];
    let bytes = 0;
    for (const urgency of ORDER) {
      const frames = this.#frames[urgency];
      let taken = 0;
      while (taken < frames.length && (bytes === 0 || bytes < PORTION_BYTES[urgency])) {
        const frame = frames[taken++]!;
        portion.push(frame);
        bytes += frame.length;
        this.#bytes[urgency] -= frame.length;
      }
      if (taken > 0) frames.splice(0, taken);
    }
    return portion.length === 1 ? portion[0]! : Buffer.concat(portion, bytes);
  }

  clear(): void {
    for (const urgency of ORDER) {
      this.#frames[urgency].length = 0;
      this.#bytes[urgency] = 0;
    }
  }
}
