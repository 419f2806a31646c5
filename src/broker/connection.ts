import type { Socket } from 'node:net';
import { type Address, addressText, type ShardId, type WorkKind } from '../kernel/index.js';
import type { BrokerAddress } from '../replica/index.js';
import {
  type ApiByName,
  type ApiName,
  decodeRequestHeader,
  findApi,
  FrameSplitter,
  type RequestHeader,
  WireError,
  type WireWriter,
} from '../wire/index.js';
import type { CloseCause, Counters } from './counters.js';
import { Exchange, type ExchangeOwner } from './exchange.js';
import { beatsInTheBackground } from './held-heartbeats.js';
import type { BrokerSettings } from './settings.js';
import { type SharedWriter, WRITER_BYTES_KEPT } from './shared-writer.js';
import type { Turns, Worker } from './turns.js';

/** What a connection needs of the server it belongs to. */
export interface ConnectionHost {
  readonly settings: BrokerSettings;
  readonly counters: Counters;
  readonly leaseHolds: (shard: ShardId) => boolean;
  /** Asks the others whether this replica leads the shard. */
  readonly confirmsLead: (shard: ShardId, done: (leads: boolean) => void) => void;
  /** Hands a request to its handler. Throws WireError when its bytes are not what its version says. */
  dispatch(exchange: Exchange, frame: Buffer, bodyOffset: number): void;
  /** A request of a key or version that is not spoken here. True when it was answered (Kafka: ApiVersions only). */
  dispatchUnsupported(connection: Connection, header: RequestHeader): boolean;
  readonly turns: Turns;
  /** Client ids whose connections neither read nor write. */
  readonly held: ReadonlySet<string>;
  /** Where all connections encode their answers. */
  readonly writer: SharedWriter;
  closed(connection: Connection, cause: CloseCause, detail: string): void;
}

/** By replica id. */
export type AddressesTold = ReadonlyMap<number, Address>;

/** Metadata, OffsetFetch, DescribeGroups, ListGroups: a short request for an answer as long as the cluster is large. */
const LONG_ANSWERS: ReadonlySet<number> = new Set([3, 9, 15, 16]);
/** Reading a request that is larger is told apart when it holds the loop. */
const LARGE_REQUEST_BYTES = 64 * 1024;
const JOIN_GROUP = 11;
/** JoinGroup, LeaveGroup, SyncGroup: all members of a group send them at once. */
const OF_REBALANCE: ReadonlySet<number> = new Set([JOIN_GROUP, 13, 14]);
/** JoinGroup, Heartbeat, SyncGroup, ConsumerGroupHeartbeat: a member asks its coordinator. */
const OF_MEMBERS: ReadonlySet<number> = new Set([JOIN_GROUP, 12, 14, 68]);
/** With so much unread by the client nothing more is read from it. Bytes. */
const UNREAD_PAUSE_BYTES = 256 * 1024;
/** So many actions wait for the end of a connection; beyond, the oldest runs at once. */
const CLOSING_ACTIONS_MAX = 100;
/** Idle for so long, a connection may go when others want to connect; sooner when no request ever came. Milliseconds. */
const SPARE_AFTER_MS = 30_000;
const SPARE_UNUSED_AFTER_MS = 5_000;

/** For the log. */
export function peerOf({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string {
  return addressText({ host: remoteAddress, port: remotePort });
}

/**
 * One client's connection. Requests start in the order they came and may run side by side; answers leave in that order:
 * a request that waits holds back the answers behind it, of this connection only (docs/clients.md#order-of-answers). At the limit
 * of requests under way, and while the client does not read, nothing more is read from it. A request whose answer may
 * be long runs alone.
 */
export class Connection implements ExchangeOwner, Worker {
  readonly clientHost: string;
  readonly peer: string;
  clientId = '';
  /** When bytes last came or answers last left, on the clock of the host. Kept by the host's sweep. */
  lastActiveMs: number;
  active = true;
  touched = false;
  /** A member of a group speaks through it, and its last request was not sent to another coordinator. */
  hasMember = false;
  sentAway = false;
  /** Whether a request ever came. */
  spoke = false;
  readonly #addresses: AddressesTold | undefined;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #splitter: FrameSplitter;
  /** Complete frames that wait for room among the requests under way. */
  #waiting: Buffer[] = [];
  #head: Exchange | null = null;
  #tail: Exchange | null = null;
  #inFlight = 0;
  #inFlightBytes = 0;
  readonly #closing = new Map<string, () => void>();
  #beatsInTheBackground = false;
  /** Frames that came with the one that is started, and after it. */
  #behind = 0;
  #atNextRequest: (() => void) | undefined;
  #paused = false;
  #closed = false;
  #draining = false;
  #held = false;

  /** `addresses`: what clients of its listener are told, where that is not what the replicas say of themselves. */
  constructor(socket: Socket, host: ConnectionHost, now: number, addresses?: AddressesTold) {
    this.#addresses = addresses;
    this.#socket = socket;
    this.#host = host;
    this.lastActiveMs = now;
    this.clientHost = `/${socket.remoteAddress ?? 'unknown'}`;
    this.peer = peerOf(socket);
    this.#splitter = new FrameSplitter(host.settings.frameBytesMax);
    socket.on('data', (chunk: Buffer) => host.turns.work('requests', this.#receive, chunk));
    socket.on('drain', () => {
      this.active = true;
      this.resume();
    });
    socket.on('error', (error) => this.close('socket-error', error.message));
    // A client that ends its side has left; what it waits for would hold its place for nothing.
    socket.on('end', () => this.close('client', 'closed by the client'));
    socket.on('close', () => this.close('client', 'closed by the client'));
  }

  addressOf(replica: BrokerAddress): Address {
    return this.#addresses?.get(replica.id) ?? replica;
  }
  get isClosed(): boolean {
    return this.#closed;
  }
  get inFlight(): number {
    return this.#inFlight;
  }
  /** Of the requests under way, those that are parked included. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }
  /** Whether it is idle and may go when others want to connect. */
  isSpare(now: number): boolean {
    const afterMs = this.spoke ? SPARE_AFTER_MS : SPARE_UNUSED_AFTER_MS;
    return !this.#closed && !this.active && this.#inFlight === 0 && now - this.lastActiveMs >= afterMs;
  }
  /** Answers that the client has not taken. Bytes. */
  get unread(): number {
    return this.#socket.writableLength;
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#closed || this.#draining) return;
    this.active = true;
    this.#host.counters.bytesIn += chunk.length;
    try {
      const frames = this.#splitter.push(chunk);
      if (this.#waiting.length === 0) this.#waiting = frames;
      else for (const frame of frames) this.#waiting.push(frame);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return this.#malformed(error);
    }
    if (this.#waiting.length > 0) this.#nextRequestHasCome();
    this.#pump();
  };
  #nextRequestHasCome(): void {
    const action = this.#atNextRequest;
    this.#atNextRequest = undefined;
    action?.();
  }

  /** Starts what has come, as far as there are room and time; then decides whether to read on. */
  #pump(): void {
    const { turns } = this.#host;
    let started = 0;
    let waitsForTurn = false;
    while (
      !this.#closed &&
      !this.#held &&
      started < this.#waiting.length &&
      this.#hasRoomFor(this.#waiting[started]!)
    ) {
      waitsForTurn = !turns.allow(started);
      if (waitsForTurn) break;
      this.#behind = this.#waiting.length - started - 1;
      if (this.#start(this.#waiting[started]!)) started++;
    }
    if (this.#closed) return;
    this.#waiting = started === this.#waiting.length ? [] : this.#waiting.slice(started);
    if (waitsForTurn) turns.later(this);
    if (this.#held) return;
    const full = this.#waiting.length > 0 || this.unread > UNREAD_PAUSE_BYTES;
    if (full && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    } else if (!full && this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }
  #hasRoomFor(frame: Buffer): boolean {
    if (this.unread > UNREAD_PAUSE_BYTES) return false;
    if (this.#head === null) return true;
    const { maxInFlightPerConnection, frameBytesMax } = this.#host.settings;
    return (
      this.#inFlight < maxInFlightPerConnection &&
      this.#inFlightBytes + frame.length <= frameBytesMax &&
      !LONG_ANSWERS.has(this.#head.api.key) &&
      !LONG_ANSWERS.has(frame.length < 2 ? -1 : frame.readInt16BE(0))
    );
  }
  get joins(): boolean {
    const [frame] = this.#waiting;
    return frame !== undefined && frame.length >= 2 && OF_REBALANCE.has(frame.readInt16BE(0));
  }
  resume(): void {
    if (!this.#closed) this.#pump();
  }
  /** Neither reads nor writes from now on, as if the network had stalled. */
  hold(): void {
    this.#held = true;
    this.#socket.pause();
    this.#paused = true;
  }
  release(): void {
    this.#held = false;
    this.#host.turns.touch(this);
    this.resume();
  }

  /** False: its client is held, and the request waits. */
  #start(frame: Buffer): boolean {
    try {
      const header = decodeRequestHeader(frame);
      this.spoke = true;
      if (header.clientId !== null) this.clientId = header.clientId;
      if (this.#host.held.size > 0 && this.#host.held.has(this.clientId)) {
        this.hold();
        return false;
      }
      this.#handle(frame, header);
    } catch (error) {
      if (error instanceof WireError) this.#malformed(error);
      // Nothing was proposed yet: only this client is hurt, and the log says by what.
      else this.close('defect', `a request could not be handled: ${(error as Error).stack ?? String(error)}`);
    }
    return true;
  }
  #handle(frame: Buffer, header: RequestHeader): void {
    const api = findApi(header.apiKey);
    if (api === undefined || !api.supports(header.apiVersion)) {
      if (this.#host.dispatchUnsupported(this, header)) return;
      const what = `key ${header.apiKey} (${api?.name ?? 'unknown'}) version ${header.apiVersion}`;
      return this.close('unsupported', `asked for ${what}, which is not spoken here`);
    }
    const exchange = this.open(api, header.apiVersion, header.correlationId, frame.length);
    if (LONG_ANSWERS.has(api.key)) this.#dispatchAs('lists', exchange, frame, header.bodyOffset);
    else if (frame.length > LARGE_REQUEST_BYTES)
      this.#dispatchAs('decode', exchange, frame, header.bodyOffset);
    else this.#host.dispatch(exchange, frame, header.bodyOffset);
  }
  /** Apart from its caller, which makes no closure for all the others. */
  #dispatchAs(kind: WorkKind, exchange: Exchange, frame: Buffer, bodyOffset: number): void {
    this.#host.turns.work(kind, () => this.#host.dispatch(exchange, frame, bodyOffset));
  }
  #malformed(error: WireError): void {
    this.close('malformed', error.message);
  }

  /** Takes the next place in the order of answers. */
  open<N extends ApiName>(
    api: ApiByName[N],
    version: number,
    correlationId: number,
    requestBytes: number,
  ): Exchange<N> {
    const exchange = new Exchange<N>(this, api, version, correlationId, requestBytes);
    const last = exchange as unknown as Exchange;
    if (this.#tail === null) this.#head = last;
    else this.#tail.next = last;
    this.#tail = last;
    this.#inFlight++;
    this.#inFlightBytes += requestBytes;
    return exchange;
  }

  answered(): void {
    if (this.#head?.ready === true) this.#host.turns.touch(this);
  }
  whenClosed(key: string, action: () => void): void {
    if (this.#closed) return action();
    this.#closing.set(key, action);
    if (this.#closing.size > CLOSING_ACTIONS_MAX) this.#runClosing(1);
  }
  takeBack(key: string): void {
    this.#closing.delete(key);
  }
  named(software: string): void {
    this.#beatsInTheBackground = beatsInTheBackground(software);
  }
  get mayHold(): boolean {
    return this.#beatsInTheBackground && this.#behind === 0 && !this.#draining;
  }
  untilNextRequest(action: () => void): void {
    this.#atNextRequest = action;
  }
  #runClosing(count: number): void {
    for (const [key, action] of [...this.#closing].slice(0, count)) {
      this.#closing.delete(key);
      action();
    }
  }
  closeSilently(why: string): void {
    this.close('refused-silently', why);
  }

  /** Writes every answer whose turn has come, in one write. */
  flush(): void {
    if (this.#closed || this.#held || this.#head?.ready !== true) return;
    const { counters, writer: shared, leaseHolds, confirmsLead } = this.#host;
    const writer = shared.writer;
    writer.reset();
    let head: Exchange | null = this.#head;
    try {
      for (; head?.ready === true; head = head.next) {
        if (head.outlivedLease(leaseHolds)) {
          counters.leaseLost++;
          head.confirm(confirmsLead);
          break;
        }
        this.#write(head, writer);
        if (head.errorSaid !== 0) counters.errorAnswer(head.api.key, head.errorSaid);
        head.trace?.answered(head.errorSaid);
        if (OF_MEMBERS.has(head.api.key)) this.#answeredMember(head);
        this.#inFlight--;
        this.#inFlightBytes -= head.requestBytes;
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return this.close('defect', `an answer could not be encoded: ${error.message}`);
    }
    this.#head = head;
    if (head === null) this.#tail = null;
    this.#send(writer, shared);
    if (this.#closed) return;
    if (this.#waiting.length > 0 || this.#paused || this.unread > UNREAD_PAUSE_BYTES) this.#pump();
  }

  #write(exchange: Exchange, writer: WireWriter): void {
    if (LONG_ANSWERS.has(exchange.api.key)) this.#writeList(exchange, writer);
    else exchange.write(writer);
  }
  #writeList(exchange: Exchange, writer: WireWriter): void {
    this.#host.turns.work('lists', () => exchange.write(writer));
  }

  #send(writer: WireWriter, shared: SharedWriter): void {
    const { settings, counters } = this.#host;
    const bytes = writer.length;
    if (bytes === 0) return;
    const { unread } = this;
    if (unread + bytes > settings.outgoingBytesMax && unread > 0) {
      return this.close('not-reading', `${unread} bytes of answers were not read`);
    }
    counters.bytesOut += bytes;
    counters.writes++;
    this.active = true;
    this.#socket.write(writer.view());
    // What the kernel did not take at once still lies in this memory: it belongs to the socket from now on.
    if (this.unread > 0 || bytes > WRITER_BYTES_KEPT) shared.renew();
  }

  #answeredMember({ api, saidElsewhere }: Exchange): void {
    this.hasMember = !saidElsewhere;
    if (saidElsewhere) this.sentAway = true;
    else if (api.key === JOIN_GROUP) this.sentAway = false;
  }

  /** Starts nothing more; what is under way is still answered. */
  stopReading(): void {
    this.#draining = true;
    this.#waiting = [];
    this.#socket.pause();
  }
  /** True when nothing is owed to the client any more. */
  get settled(): boolean {
    return this.#closed || (this.#inFlight === 0 && this.unread === 0);
  }

  close(cause: CloseCause, detail: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (let exchange = this.#head; exchange !== null; exchange = exchange.next) exchange.abandon();
    this.#head = null;
    this.#tail = null;
    this.#inFlightBytes = 0;
    this.#waiting = [];
    this.#host.turns.forget(this);
    this.#runClosing(this.#closing.size);
    this.#socket.destroy();
    this.#host.closed(this, cause, detail);
    this.#inFlight = 0;
  }
}
