import type { Socket } from 'node:net';
import { MalformedBytesError, type ReplicaId } from '../kernel/index.js';
import type { Hello } from '../replica/index.js';
import { FRAME_HEADER_BYTES, FrameReader, FramingError, frameHeader } from './framing.js';
import {
  decodeIntroduction,
  encodeIntroduction,
  type Expectation,
  type Introduction,
  refusal,
} from './handshake.js';

export interface LinkOptions {
  readonly frameBytesMax: number;
  /** The most that may wait for a peer that does not read. Bytes. */
  readonly queueBytesMax: number;
  readonly handshakeTimeoutMs: number;
  /** A link on which no whole frame arrives for this long is given up. What is idle says so in time. */
  readonly silenceMs: number;
}

/** Who refused whom: the other end, by what it said, or this one. */
export type Refused = 'by-us' | 'by-them';

export interface LinkEvents {
  /** Introduced in both directions. */
  onReady(link: Link, peer: ReplicaId, hello: Hello): void;
  onHello(peer: ReplicaId, hello: Hello): void;
  onMessage(peer: ReplicaId, message: Buffer): void;
  /** Refused or broken. Once. */
  onEnd(link: Link, reason: string, refused: Refused | undefined): void;
}

export type Urgency = 'normal' | 'droppable' | 'bulk';
/** Of the queue. Heartbeats go first when a peer does not keep up; bulk leaves room for what keeps the cluster going. */
const SHARE: Readonly<Record<Urgency, number>> = { normal: 1, droppable: 0.25, bulk: 0.5 };

/** First byte of every frame. */
const FRAME = { hello: 1, message: 2, refused: 3, alive: 4 } as const;
const NOTHING = Buffer.alloc(0);
/** What a stranger may make us hold before it is introduced. Bytes. */
const INTRODUCTION_BYTES_MAX = 64 * 1024;
const REASON_LENGTH_MAX = 500;
/** Looks within the silence that ends a link. A process that was stopped meanwhile has only missed looks. */
const LOOKS = 4;
/** How long a refused peer has to take what it is told. Milliseconds. */
const LINGER_MS = 1_000;

/** One TCP connection to a peer: introduction, frames, bounded output. */
export class Link {
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #hello: () => Hello;
  readonly #expectation: Expectation;
  readonly #reader = new FrameReader(INTRODUCTION_BYTES_MAX);
  readonly #patience: NodeJS.Timeout;
  #looks: NodeJS.Timeout | undefined;
  #quietLooks = 0;
  #heard = false;
  #said = false;
  #output: Buffer[] = [];
  #outputBytes = 0;
  #flushScheduled = false;
  #introduced = false;
  #peer: ReplicaId | undefined;
  #ended = false;

  /** Whoever calls introduces itself; whoever is called answers once it has nothing against the caller. */
  constructor(
    socket: Socket,
    expectation: Expectation,
    hello: () => Hello,
    options: LinkOptions,
    events: LinkEvents,
  ) {
    this.#socket = socket;
    this.#expectation = expectation;
    this.#hello = hello;
    this.#options = options;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.end(error.message));
    socket.on('end', () => this.end('the peer closed the link'));
    socket.on('close', () => this.end('the peer closed the link'));
    this.#patience = setTimeout(() => this.end('no introduction came'), options.handshakeTimeoutMs);
    if (expectation.called !== undefined) this.#introduce(expectation.called);
  }

  get peer(): ReplicaId | undefined {
    return this.#peer;
  }

  /** Says again who we are, unless that has not been said yet at all. */
  helloChanged(): void {
    if (this.#introduced) this.#introduce(this.#peer ?? this.#expectation.called!);
  }
  #introduce(target: ReplicaId): void {
    this.#introduced = true;
    this.#queue(FRAME.hello, encodeIntroduction(target, this.#hello()));
  }

  /** What waits to be taken by the operating system. Bytes. */
  get queued(): number {
    return this.#outputBytes + this.#socket.writableLength;
  }

  /** Never blocks. False: there was no room, or no peer would take so much at once, and the message is dropped. */
  send(message: Uint8Array, urgency: Urgency): boolean {
    const { queueBytesMax, frameBytesMax } = this.#options;
    if (this.#ended || message.length >= frameBytesMax) return false;
    if (this.queued + message.length > queueBytesMax * SHARE[urgency]) return false;
    this.#queue(FRAME.message, message);
    return true;
  }

  #queue(kind: number, body: Uint8Array): void {
    if (this.#ended) return;
    const payload = Buffer.allocUnsafe(body.length + 1);
    payload[0] = kind;
    payload.set(body, 1);
    this.#output.push(frameHeader(payload), payload);
    this.#outputBytes += payload.length + FRAME_HEADER_BYTES;
    this.#said = true;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // All of a turn in one write (16 x the messages of one write each).
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#ended || this.#output.length === 0) return;
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    this.#outputBytes = 0;
    this.#socket.write(bytes);
  }

  #read(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      this.#reader.push(chunk, (payload) => this.#frame(payload));
    } catch (error) {
      if (!(error instanceof FramingError || error instanceof MalformedBytesError)) throw error;
      if (this.#peer !== undefined) return this.end(error.message);
      this.#refuse(
        `that does not speak the replicas' protocol (${error.message}): correct the address, or keep others from this port`,
      );
    }
  }

  #frame(payload: Buffer): void {
    if (this.#ended) return;
    this.#heard = true;
    const body = payload.subarray(1);
    switch (payload[0]) {
      case FRAME.hello:
        return this.#helloCame(decodeIntroduction(body));
      case FRAME.message:
        if (this.#peer === undefined) throw new FramingError('a message before the introduction');
        return this.#events.onMessage(this.#peer, body);
      case FRAME.refused:
        return this.end(body.toString('utf8', 0, REASON_LENGTH_MAX), 'by-them');
      case FRAME.alive:
        return;
      default:
        throw new FramingError(`a frame of the unknown kind ${payload[0]}`);
    }
  }

  #helloCame(introduction: Introduction): void {
    const { self, hello } = introduction;
    const reason = refusal(this.#hello(), introduction, this.#expectation);
    if (reason !== undefined || hello === undefined) return this.#refuse(reason ?? '');
    if (this.#peer !== undefined && self !== this.#peer) throw new FramingError(`a hello of replica ${self}`);
    if (this.#peer !== undefined) return this.#events.onHello(self, hello);
    clearTimeout(this.#patience);
    this.#peer = self;
    this.#reader.frameBytesMax = this.#options.frameBytesMax;
    if (!this.#introduced) this.#introduce(self);
    this.#looks = setInterval(() => this.#look(), this.#options.silenceMs / LOOKS);
    this.#events.onReady(this, self, hello);
  }

  #refuse(reason: string): void {
    this.#queue(FRAME.refused, Buffer.from(reason));
    this.#flush();
    this.end(reason, 'by-us');
  }

  #look(): void {
    this.#quietLooks = this.#heard ? 0 : this.#quietLooks + 1;
    this.#heard = false;
    if (this.#quietLooks >= LOOKS) return this.end(`nothing was heard for ${this.#options.silenceMs} ms`);
    // While bytes are under way the peer will hear from us anyway.
    if (!this.#said && this.queued === 0) this.#queue(FRAME.alive, NOTHING);
    this.#said = false;
  }

  end(reason: string, refused?: Refused): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#patience);
    clearInterval(this.#looks);
    this.#output = [];
    this.#outputBytes = 0;
    if (refused === undefined) this.#socket.destroy();
    else this.#linger();
    this.#events.onEnd(this, reason, refused);
  }

  /** Lets the refusal arrive; a peer that never closes its side does not keep ours. */
  #linger(): void {
    const socket = this.#socket;
    socket.end();
    const enough = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(enough));
  }
}
