import { ByteWriter, type ReplicaId, type ShardId } from '../kernel/index.js';
import { isDroppable, type Message, type Send, writeMessage } from '../paxos/index.js';
import { PaxosBundle } from './frames.js';
import type { Transport } from './ports.js';

/** The most one frame carries before it is sent and the next one starts. Bytes. */
const BUNDLE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * What the shards want to tell the peers, gathered over one turn of the loop: one frame a peer, so that the heartbeats
 * of all shards travel together, and each message is encoded once for all its receivers.
 */
export class Outbox {
  readonly #transport: Transport;
  readonly #bundles = new Map<ReplicaId, PaxosBundle>();
  #lastMessage: Message | undefined;
  readonly #lastBytes = new ByteWriter(4096);

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  add(shard: ShardId, { to, message }: Send): void {
    if (message !== this.#lastMessage) {
      this.#lastBytes.reset();
      writeMessage(this.#lastBytes, message);
      this.#lastMessage = message;
    }
    let bundle = this.#bundles.get(to);
    if (bundle === undefined) this.#bundles.set(to, (bundle = new PaxosBundle()));
    bundle.add(shard, this.#lastBytes, isDroppable(message));
    if (bundle.bytes > BUNDLE_BYTES_MAX) this.#send(to, bundle);
  }

  flush(): void {
    for (const [peer, bundle] of this.#bundles) if (!bundle.empty) this.#send(peer, bundle);
    this.#lastMessage = undefined;
  }

  #send(peer: ReplicaId, bundle: PaxosBundle): void {
    const urgency = bundle.droppable ? 'droppable' : 'normal';
    this.#transport.send(peer, bundle.take(), urgency);
  }
}
