import type { Address, ShardId } from '../kernel/index.js';
import type { BrokerAddress } from '../replica/index.js';
import {
  type Api,
  type ApiByName,
  type ApiName,
  type ReplyOf,
  type WireWriter,
  writeResponseFrame,
} from '../wire/index.js';
import type { Parked } from './parked.js';
import { NOT_COORDINATOR } from './refusals.js';
import type { RequestTrace } from './request-tracer.js';
import type { SpeakingConnection } from './speakers.js';

/** What an exchange needs of the connection it belongs to. */
export interface ExchangeOwner extends SpeakingConnection {
  /** The client's own name for itself, of its newest request; '' when it gives none. */
  readonly clientId: string;
  /**
   * A member was sent to another coordinator since it joined last. kafkajs joins because of it, maybe after heartbeats that are
   * answered again: it sends them side by side.
   */
  readonly sentAway: boolean;
  /** As Kafka writes it: `/` and the address. */
  readonly clientHost: string;
  /** What this client is told of where a replica is: that depends on the listener that it came through. */
  addressOf(replica: BrokerAddress): Address;
  /** An answer is there: the connection writes it when its turn in the order of requests has come. */
  answered(): void;
  /** The action runs when the connection ends, unless it is taken back before. A connection keeps a bounded number. */
  whenClosed(key: string, action: () => void): void;
  takeBack(key: string): void;
  /** The client has said what it is (KIP-511). */
  named(software: string): void;
  /** A heartbeat may wait: its client does not wait for the answer, and has sent nothing after it. */
  readonly mayHold: boolean;
  /** The action runs when another request comes over the connection. */
  untilNextRequest(action: () => void): void;
  closeSilently(why: string): void;
}

interface MayHaveErrors {
  readonly errorCode?: number;
  readonly topics?: readonly {
    readonly partitions?: readonly { readonly errorCode?: number }[] | null;
  }[];
}

/** The shards from whose applied state an answer was read under the lease. */
export type Leased = ShardId | readonly ShardId[];

/**
 * One request on its way to its answer. Answers leave in the order of the requests of their connection; encoding waits
 * until the answer leaves, because only then is it known whether the lease it was read under still holds.
 */
export class Exchange<N extends ApiName = ApiName> {
  /** The next request of the same connection. */
  next: Exchange | null = null;
  #reply: ReplyOf<N> | Buffer | undefined;
  #leased: Leased | null = null;
  #refused: (() => ReplyOf<N>) | null = null;
  #parked: Parked | null = null;
  #abandoned = false;
  #whenAbandoned: (() => void) | null = null;
  trace: RequestTrace | undefined = undefined;
  /** The error that the answer which left says, the first one where it has several; 0 for none. */
  errorSaid = 0;

  constructor(
    readonly owner: ExchangeOwner,
    readonly api: ApiByName[N],
    readonly version: number,
    readonly correlationId: number,
    /** The length of the request's frame. */
    readonly requestBytes: number,
  ) {}

  get ready(): boolean {
    return this.#reply !== undefined;
  }
  /** The connection ended: whatever is answered goes nowhere. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  answer(reply: ReplyOf<N>): void {
    if (this.#abandoned || this.#reply !== undefined) return;
    this.#reply = reply;
    this.#parked = null;
    this.owner.answered();
  }
  /**
   * An answer read from applied state. If the lease of a shard is gone when it is to leave, a round to the others comes first, and
   * `refused` takes its place where this replica leads no more.
   */
  answerUnderLease(leased: Leased, reply: ReplyOf<N>, refused: () => ReplyOf<N>): void {
    this.#leased = leased;
    this.#refused = refused;
    this.answer(reply);
  }
  /** A frame encoded beforehand with `encode`, length included. */
  answerEncoded(frame: Buffer): void {
    if (this.#abandoned || this.#reply !== undefined) return;
    this.#reply = frame;
    this.#parked = null;
    this.owner.answered();
  }
  /** Remembered so that the end of the connection takes it out of the table. */
  parkedAs(parked: Parked): void {
    if (this.#abandoned) parked.cancel();
    else if (this.#reply === undefined) this.#parked = parked;
  }
  /** Called when the connection ends, or ended already, before the answer left. */
  whenAbandoned(action: () => void): void {
    if (this.#abandoned) action();
    else this.#whenAbandoned = action;
  }
  abandon(): void {
    this.#abandoned = true;
    this.trace?.answered(undefined);
    this.#parked?.cancel();
    this.#parked = null;
    this.#whenAbandoned?.();
    this.#whenAbandoned = null;
  }

  /** Whether the lease that its answer was read under is gone. */
  outlivedLease(leaseHolds: (shard: ShardId) => boolean): boolean {
    return this.#leased !== null && !holds(this.#leased, leaseHolds);
  }
  /**
   * Such an answer leaves when a read of each shard has shown that this replica leads there: then it led when the answer was read.
   * Where it does not, the refusal takes its place.
   */
  confirm(read: (shard: ShardId, done: (confirmed: boolean) => void) => void): void {
    const [reply, leased, refused] = [this.#reply as ReplyOf<N>, this.#leased!, this.#refused!];
    this.#reply = undefined;
    this.#leased = null;
    const shards = typeof leased === 'number' ? [leased] : leased;
    let open = shards.length;
    let leads = true;
    for (const shard of shards)
      read(shard, (confirmed) => {
        leads &&= confirmed;
        if (--open === 0) this.answer(leads ? reply : refused());
      });
  }
  /** Appends the answer's frame. */
  write(writer: WireWriter): void {
    const reply = this.#reply!;
    if (Buffer.isBuffer(reply)) writer.raw(reply);
    else this.encode(writer, reply);
  }
  get saidElsewhere(): boolean {
    return this.errorSaid === NOT_COORDINATOR;
  }
  encode(writer: WireWriter, reply: ReplyOf<N>): void {
    this.errorSaid = errorIn(reply as MayHaveErrors);
    // An API and its replies belong together; the compiler cannot follow that through the union.
    writeResponseFrame(writer, this.api as unknown as Api, this, reply);
  }
}

/** Of the answer as a whole, or the first one of a partition. */
function errorIn({ errorCode, topics }: MayHaveErrors): number {
  if (errorCode !== undefined || topics === undefined) return errorCode ?? 0;
  for (const topic of topics)
    for (const { errorCode: code = 0 } of topic.partitions ?? []) if (code !== 0) return code;
  return 0;
}

function holds(leased: Leased, leaseHolds: (shard: ShardId) => boolean): boolean {
  return typeof leased === 'number' ? leaseHolds(leased) : leased.every(leaseHolds);
}
