import type { Socket } from 'node:net';
import {
  type Address,
  type GroupId,
  LimitedLog,
  type Log,
  type MemberId,
  type ShardId,
  type Work,
} from '../kernel/index.js';
import { type Clock, type Coordinator, systemClock } from '../replica/index.js';
import type { GroupNews } from '../machine/index.js';
import { apiNamed } from '../wire/index.js';
import { ClusterFacts } from './cluster-facts.js';
import { type AddressesTold, Connection, type ConnectionHost, peerOf } from './connection.js';
import { awaitedKey, type AwaitedNews, type BrokerContext } from './context.js';
import { type BrokerCounters, type CloseCause, Counters } from './counters.js';
import { dispatch, UNKNOWN_API_VERSIONS } from './dispatch.js';
import { DrainRequests } from './drain-requests.js';
import { heartbeatsHear, heldKey } from './held-heartbeats.js';
import { type Listener, tcpListener } from './listener.js';
import { ParkedTable } from './parked.js';
import type { RequestTracer } from './request-tracer.js';
import { type BrokerSettings, DEFAULT_BROKER_SETTINGS } from './settings.js';
import { SharedWriter } from './shared-writer.js';
import { Speakers } from './speakers.js';
import { TopicCreation } from './topic-creation.js';
import { Turns } from './turns.js';

interface BrokerOptions {
  /** The address to listen on. What clients are told is in `coordinator.brokers()`. */
  readonly host: string;
  /** 0: any free port; `start` tells which. */
  readonly port: number;
  /** Other addresses to listen on, each with what its clients are told. */
  readonly further?: readonly (Address & { readonly addresses: AddressesTold })[];
  readonly coordinator: Coordinator;
  readonly log: Log;
  /** Told what runs on the loop; nobody when it is left out. */
  readonly work?: Work;
  readonly settings?: Partial<BrokerSettings>;
  /** Told what becomes of requests; nobody when it is left out. */
  readonly tracer?: RequestTracer | undefined;
  /** For tests; the machine's clock otherwise. Must tell the same time as `coordinator.now()`. */
  readonly clock?: Clock;
  /** Where connections come from; TCP at `host` and `port` otherwise. */
  readonly listener?: Listener;
}

/** The Kafka listener of one replica. */
export interface Broker {
  /** Rejects when the address cannot be listened on. */
  start(): Promise<Address>;
  /**
   * Serves on for up to `membersMoveMs`, until members know that another replica coordinates them. Then takes no more
   * connections and requests, answers what is parked, waits for what is under way up to `stopGraceMs`, writes it out and
   * closes. Hand leadership over before.
   */
  stop(): Promise<void>;
  /** Closes the listener and breaks every connection, at once. */
  abort(): void;
  /** Neither reads from nor writes to the connections of this client id until `release`: for tests of what depends on it. */
  hold(clientId: string): void;
  release(clientId: string): void;
  /** Members of a group that is led here are told to drain and leave, for as long as this is asked for. */
  drain(group: GroupId, members: readonly MemberId[]): void;
  snapshot(): BrokerCounters;
}

export function createBroker(options: BrokerOptions): Broker {
  return new TcpBroker(options);
}

const API_VERSIONS = apiNamed('ApiVersions');
const STOP_POLL_MS = 10;
/** How well it is known since when a connection is idle. */
const SWEEP_MS_MAX = 5_000;
/** Characters. */
const CLIENT_ID_LOGGED_MAX = 100;
/** The client, its process, or the network between. */
const BY_CLIENT: readonly CloseCause[] = ['client', 'socket-error'];
const QUIET: readonly CloseCause[] = ['client', 'socket-error', 'stopping'];

/** Those idle longest come last; the ones that never sent a request behind all others. */
const byIdleTime = (a: Connection, b: Connection): number =>
  Number(b.spoke) - Number(a.spoke) || b.lastActiveMs - a.lastActiveMs;

/** What waits for a time is work for clients; what goes on at the end of a turn is a long list. */
const watchedClock = (clock: Clock, work: Work): Clock => ({
  monotonic: () => clock.monotonic(),
  wall: () => clock.wall(),
  after: (delayMs, callback) => clock.after(delayMs, () => work('requests', callback)),
  endOfTurn: (callback) => clock.endOfTurn(() => work('lists', callback)),
});

class TcpBroker implements Broker, ConnectionHost {
  readonly settings: BrokerSettings;
  readonly counters = new Counters();
  readonly #options: BrokerOptions;
  readonly #clock: Clock;
  readonly #context: BrokerContext;
  readonly #listeners: readonly { readonly listener: Listener; readonly addresses?: AddressesTold }[];
  readonly #connections = new Set<Connection>();
  /** Connections that may go when there are too many, the one that goes first last. Looked for once in a sweep. */
  #spare: Connection[] | undefined;
  readonly #warnings = new Map<CloseCause, LimitedLog>();
  readonly writer = new SharedWriter();
  readonly turns: Turns;
  readonly held = new Set<string>();
  #unsubscribe: (() => void)[] = [];
  #cancelSweep: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #takesNoMore = false;

  constructor(options: BrokerOptions) {
    const { coordinator } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.turns = new Turns(this.#clock, options.work);
    this.settings = { ...DEFAULT_BROKER_SETTINGS, ...options.settings };
    const clock = watchedClock(this.#clock, this.turns.work);
    const facts = new ClusterFacts(coordinator);
    this.#context = {
      coordinator,
      settings: this.settings,
      counters: this.counters,
      facts,
      parked: new ParkedTable<AwaitedNews>(clock, () => coordinator.now()),
      creation: new TopicCreation(coordinator, facts, this.settings),
      drains: new DrainRequests(() => coordinator.now()),
      speakers: new Speakers(coordinator, clock, this.settings.disconnectGraceMs),
      clock,
      tracer: options.tracer,
    };
    const { host, port, log, further = [] } = options;
    this.#listeners = [
      { listener: options.listener ?? tcpListener(host, port, log) },
      ...further.map((each) => ({
        listener: tcpListener(each.host, each.port, log),
        addresses: each.addresses,
      })),
    ];
  }

  async start(): Promise<Address> {
    const { coordinator } = this.#options;
    const [first] = await this.#listen();
    this.#unsubscribe = [
      coordinator.onNews((_, news, serving) => {
        for (const each of news) {
          if (each.kind === 'topic-deleted') this.#context.facts.topicDeleted(each.topic);
          else if (serving) this.#news(each);
        }
      }),
      coordinator.onLeadership((shard, { serving }) => {
        this.#context.facts.leadMoved(shard);
        if (!serving) this.#context.parked.coordinatorLost(shard);
      }),
    ];
    this.#sweepLater();
    return first!;
  }
  async #listen(): Promise<readonly Address[]> {
    const bound: Address[] = [];
    try {
      for (const { listener, addresses } of this.#listeners)
        bound.push(await listener.listen((socket) => this.#accept(socket, addresses)));
      return bound;
    } catch (error) {
      this.#closeListeners();
      throw error;
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }
  abort(): void {
    this.#stopping ??= Promise.resolve();
    this.#closeListeners();
    this.#closeConnections();
  }
  hold(clientId: string): void {
    this.held.add(clientId);
    for (const connection of this.#connections) if (connection.clientId === clientId) connection.hold();
  }
  release(clientId: string): void {
    this.held.delete(clientId);
    for (const connection of this.#connections) if (connection.clientId === clientId) connection.release();
  }
  drain(group: GroupId, members: readonly MemberId[]): void {
    this.#context.drains.ask(group, members);
    this.#context.parked.wake(heldKey(group));
  }
  #closeListeners(): void {
    this.#takesNoMore = true;
    this.#cancelSweep?.();
    for (const { listener } of this.#listeners) listener.close();
  }
  #closeConnections(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    for (const connection of [...this.#connections]) connection.close('stopping', '');
  }
  /** A member hears of it with its next request; who stops as the last one has nobody to name. */
  async #membersMove(): Promise<void> {
    const { coordinator } = this.#options;
    const until = this.#clock.monotonic() + this.settings.membersMoveMs;
    const pending = (): boolean =>
      [...this.#connections].some(({ hasMember }) => hasMember) &&
      coordinator.brokers().some(({ id, up, leaving }) => id !== coordinator.self && up && leaving !== true);
    while (!this.#takesNoMore && pending() && this.#clock.monotonic() < until)
      await new Promise<void>((resume) => this.#clock.after(STOP_POLL_MS, resume));
  }
  async #stop(): Promise<void> {
    await this.#membersMove();
    this.#closeListeners();
    for (const connection of this.#connections) connection.stopReading();
    // One by one as they come: a JoinGroup that is applied during the grace may park now.
    const until = this.#clock.monotonic() + this.settings.stopGraceMs;
    for (;;) {
      this.#context.parked.stop();
      await new Promise<void>((resume) => this.#clock.endOfTurn(resume));
      const open = [...this.#connections].filter(({ settled }) => !settled);
      if (open.length === 0 || this.#clock.monotonic() >= until) break;
      await new Promise<void>((resume) => this.#clock.after(STOP_POLL_MS, resume));
    }
    this.#closeConnections();
  }

  snapshot(): BrokerCounters {
    const parked = this.#context.parked.counts();
    let requestBytes = 0;
    let answerBytes = 0;
    for (const { inFlightBytes, unread } of this.#connections) {
      requestBytes += inFlightBytes;
      answerBytes += unread;
    }
    const { size: connectionsOpen } = this.#connections;
    const { starved } = this.turns;
    return this.counters.snapshot({ connectionsOpen, parked, starved, requestBytes, answerBytes });
  }

  #news(news: { readonly kind: string; readonly group?: GroupId }): void {
    heartbeatsHear(news, this.#context);
    if (news.kind === 'member-left') {
      const { group, memberId } = news as Extract<GroupNews, { kind: 'member-left' }>;
      this.#context.speakers.left(group, memberId);
    }
    if (news.kind !== 'join-answer' && news.kind !== 'sync-answer') return;
    const awaited = news as AwaitedNews;
    this.#context.parked.news(awaitedKey(awaited.kind, awaited.group, awaited.memberId), awaited);
  }

  #accept(socket: Socket, addresses: AddressesTold | undefined): void {
    const { connectionsMax } = this.settings;
    if (!this.#takesNoMore && this.#connections.size >= connectionsMax) this.#makeRoom();
    if (this.#takesNoMore || this.#connections.size >= connectionsMax) {
      const cause = this.#takesNoMore ? 'stopping' : 'too-many-connections';
      this.counters.closed(cause);
      if (cause !== 'stopping')
        this.#warn(
          cause,
          `turned ${peerOf(socket)} away: ${connectionsMax} connections are open, which is the most allowed`,
        );
      socket.destroy();
      return;
    }
    this.counters.connectionsOpened++;
    this.#connections.add(new Connection(socket, this, this.#clock.monotonic(), addresses));
  }

  dispatch(exchange: Parameters<ConnectionHost['dispatch']>[0], frame: Buffer, bodyOffset: number): void {
    dispatch(exchange, frame, bodyOffset, this.#context);
  }
  dispatchUnsupported(...[connection, header]: Parameters<ConnectionHost['dispatchUnsupported']>): boolean {
    if (header.apiKey !== API_VERSIONS.key) return false;
    this.counters.request(API_VERSIONS.key);
    connection.open(API_VERSIONS, 0, header.correlationId, 0).answer(UNKNOWN_API_VERSIONS);
    return true;
  }
  readonly leaseHolds = (shard: ShardId): boolean => this.#options.coordinator.leaseHolds(shard);
  readonly confirmsLead = (shard: ShardId, done: (leads: boolean) => void): void =>
    this.#options.coordinator.read(shard, ({ kind }) => done(kind === 'ok'));

  closed(connection: Connection, cause: CloseCause, detail: string): void {
    this.#connections.delete(connection);
    this.counters.closed(cause);
    if (BY_CLIENT.includes(cause)) this.#context.speakers.ended(connection);
    else this.#context.speakers.dropped(connection);
    if (QUIET.includes(cause)) return;
    const { peer, clientId } = connection;
    // What a client calls itself may be long, and may have line breaks.
    const name = JSON.stringify(clientId.slice(0, CLIENT_ID_LOGGED_MAX));
    this.#warn(cause, `closed the connection of ${peer} (client id ${name}): ${detail}`);
  }
  /** A client can end connections as often as it likes: the log does not grow as fast. */
  #warn(cause: CloseCause, text: string): void {
    let log = this.#warnings.get(cause);
    if (log === undefined) {
      log = new LimitedLog(
        (line) => this.#options.log.warn(line),
        () => this.#clock.monotonic(),
      );
      this.#warnings.set(cause, log);
    }
    log.line(text);
  }

  /** Ends the connection that has been idle longest, if one is idle long enough: who comes needs its place more. */
  #makeRoom(): void {
    const now = this.#clock.monotonic();
    this.#spare ??= [...this.#connections].filter((each) => each.isSpare(now)).sort(byIdleTime);
    for (let spare = this.#spare.pop(); spare !== undefined; spare = this.#spare.pop()) {
      if (!spare.isSpare(now)) continue;
      return spare.close('idle', 'it was idle, and others wanted to connect');
    }
  }

  /** One timer for all connections; no request pays for it. */
  #sweepLater(): void {
    const { connectionIdleMs } = this.settings;
    this.#cancelSweep = this.#clock.after(Math.min(SWEEP_MS_MAX, connectionIdleMs / 4), () => {
      const now = this.#clock.monotonic();
      this.#spare = undefined;
      for (const connection of [...this.#connections]) {
        if (connection.active) {
          connection.active = false;
          connection.lastActiveMs = now;
        } else if (connection.inFlight === 0 && now - connection.lastActiveMs >= connectionIdleMs) {
          const { unread } = connection;
          const forSeconds = `for ${Math.round(connectionIdleMs / 1000)} s`;
          if (unread === 0) connection.close('idle', `nothing came ${forSeconds}`);
          else connection.close('not-reading', `${unread} bytes of answers were not read ${forSeconds}`);
        }
      }
      this.#sweepLater();
    });
  }
}
