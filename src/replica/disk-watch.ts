import type { Log, MonotonicMs } from '../kernel/index.js';
import type { Storage } from './ports.js';

/** Writes of which none ends for so long, while this process runs: the disk stalls. Milliseconds. */
const STALL_MS = 2_000;
/** More than this on its way to the disk is too much, however quick it is. Bytes. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
/** What nobody waits for goes to the disk at the latest when it is so much. Bytes. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Whether the disk finishes what it was given. While it does not, this replica proposes, accepts and votes for nothing,
 * so that what waits for the disk is bounded; it goes on when the disk does.
 */
export class DiskWatch {
  readonly #log: Log;
  #begun = 0;
  #ended = 0;
  #endedAtTick = 0;
  #bytesBegun = 0;
  #bytesEnded = 0;
  #tickedAt: MonotonicMs;
  /** For how long nothing has ended, without the time in which this process did not run. Milliseconds. */
  #silentMs = 0;
  #stalls = false;

  constructor(log: Log, now: MonotonicMs) {
    this.#log = log;
    this.#tickedAt = now;
  }

  get stalls(): boolean {
    return this.#stalls;
  }
  /** Bytes on their way to the disk. */
  get waitingBytes(): number {
    return this.#bytesBegun - this.#bytesEnded;
  }

  status(): { readonly diskStalls: boolean; readonly diskWaitingBytes: number } {
    return { diskStalls: this.#stalls, diskWaitingBytes: this.waitingBytes };
  }

  /** The same storage, watched; it has no room while it stalls. */
  over(storage: Storage): Storage {
    return {
      ...storage,
      append: (records, sync, done) => {
        for (const { payload } of records) this.#bytesBegun += payload.length;
        const idle = this.#begun === this.#ended;
        if (!sync && !(idle && this.waitingBytes > UNSYNCED_BYTES_MAX)) return storage.append(records, false);
        this.#begun++;
        const bytes = this.#bytesBegun;
        storage.append(records, true, () => {
          this.#ended++;
          this.#bytesEnded = bytes;
          done?.();
        });
      },
      room: () => (this.#stalls ? 'none' : storage.room()),
    };
  }

  /** `tickMs`: how long it is between two ticks of a process that runs. */
  tick(now: MonotonicMs, tickMs: number): void {
    const ranMs = Math.min(now - this.#tickedAt, 2 * tickMs);
    this.#tickedAt = now;
    if (this.#ended === this.#begun || this.#ended !== this.#endedAtTick) this.#silentMs = 0;
    else this.#silentMs += ranMs;
    this.#endedAtTick = this.#ended;
    const tooMuch = this.#ended < this.#begun && this.waitingBytes > WAITING_BYTES_MAX;
    this.#tell(this.#silentMs >= STALL_MS || tooMuch);
  }

  #tell(stalls: boolean): void {
    if (stalls === this.#stalls) return;
    this.#stalls = stalls;
    if (stalls)
      this.#log.error(
        `the disk stalls: no write has ended for ${Math.round(this.#silentMs)} ms, and ${this.waitingBytes} bytes wait. This replica ` +
          'leads nothing, takes no writes and does not vote until they end. If they do not, end the process and look at the disk.',
      );
    else this.#log.info('the disk has finished what waited for it: this replica votes again');
  }
}
