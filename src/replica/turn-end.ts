import type { ShardId } from '../kernel/index.js';
import type { Send } from '../paxos/index.js';
import { Outbox } from './outbox.js';
import type { Clock, Transport } from './ports.js';
import type { ShardHost } from './shard-host.js';

/** What the shards leave for the end of this turn of the loop: proposals as one batch, messages as one frame a peer. */
export class TurnEnd {
  readonly #clock: Pick<Clock, 'endOfTurn'>;
  readonly #guard: (action: () => void) => void;
  readonly #outbox: Outbox;
  readonly #touched = new Set<Pick<ShardHost, 'endTurn'>>();
  #scheduled = false;

  constructor(clock: Pick<Clock, 'endOfTurn'>, transport: Transport, guard: (action: () => void) => void) {
    this.#clock = clock;
    this.#guard = guard;
    this.#outbox = new Outbox(transport);
  }

  send(shard: ShardId, send: Send): void {
    this.#outbox.add(shard, send);
    this.#schedule();
  }

  touch(host: Pick<ShardHost, 'endTurn'>): void {
    this.#touched.add(host);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.endOfTurn(this.#turnEnds);
  }
  /** Made once: there are thousands of turns a second. */
  readonly #turnEnds = (): void => {
    this.#scheduled = false;
    this.#guard(this.#end);
  };
  readonly #end = (): void => {
    for (const host of this.#touched) {
      // First: what ends its turn may give it more to do.
      this.#touched.delete(host);
      host.endTurn();
    }
    this.#outbox.flush();
  };
}
