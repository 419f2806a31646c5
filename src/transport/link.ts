import type { Socket } from 'node:net';
import { MalformedBytesError, type ReplicaId } from '../kernel/index.js';
import type { Hello } from '../replica/index.js';
import { frameOf, FrameReader, FramingError } from './framing.js';
import {
  decodeIntroduction,
  encodeIntroduction,
  type Expectation,
  type Introduction,
  refusal,
} from './handshake.js';
import { commonProtocol, type ProtocolRange, PROTOCOLS } from './protocols.js';
import { SendQueue, type Urgency } from './send-queue.js';

export interface LinkOptions {
  readonly frameBytesMax: number;
  /** The most that may wait for a peer that does not read. Bytes. */
  readonly queueBytesMax: number;
  readonly handshakeTimeoutMs: number;
  /** The link ends when no whole frame arrives for this long. An idle peer sends `alive` frames. */
  readonly silenceMs: number;
  /** What this build speaks; PROTOCOLS by default. */
  readonly protocols?: ProtocolRange | undefined;
}

/** Which end refused the link. */
type Refused = 'by-us' | 'by-them';

export interface LinkEvents {
  /** Introduced in both directions. */
  onReady(link: Link, peer: ReplicaId, hello: Hello): void;
  onHello(peer: ReplicaId, hello: Hello): void;
  onMessage(peer: ReplicaId, message: Buffer): void;
  /** This end refuses a replica that says that it is of the same cluster. */
  onRefused(hello: Hello, reason: string): void;
  /** No version of the protocol is common with a replica of this id. */
  onStranger(self: ReplicaId, reason: string): void;
  /** Refused or broken. Once. */
  onEnd(link: Link, reason: string, refused: Refused | undefined): void;
}

/** First byte of every frame. */
const FRAME = { hello: 1, message: 2, refused: 3, alive: 4 } as const;
const NOTHING = Buffer.alloc(0);
/** The longest frame taken before the introduction. Bytes. */
const INTRODUCTION_BYTES_MAX = 64 * 1024;
const REASON_LENGTH_MAX = 500;
/** Checks per `silenceMs`. A process that was paused missed the checks, so the pause does not count as silence. */
const SILENCE_CHECKS = 4;
/** How long a refused peer has to read the reason. Milliseconds. */
const LINGER_MS = 1_000;

/** One TCP connection to a peer: introduction, frames, bounded output. */
export class Link {
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #hello: () => Hello;
  readonly #expectation: Expectation;
  readonly #reader = new FrameReader(INTRODUCTION_BYTES_MAX);
  readonly #handshakeTimer: NodeJS.Timeout;
  #silenceTimer: NodeJS.Timeout | undefined;
  #quietChecks = 0;
  #received = false;
  #sent = false;
  readonly #output: SendQueue;
  #flushScheduled = false;
  /** The operating system has not taken the last write yet. */
  #writing = false;
  #introduced = false;
  #peer: ReplicaId | undefined;
  #protocol: number | undefined;
  #ended = false;

  /** The caller introduces itself at once. The called end answers after it has accepted the caller. */
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
    this.#output = new SendQueue(options.queueBytesMax);
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.end(error.message));
    socket.on('end', () => this.end('the peer closed the link'));
    socket.on('close', () => this.end('the peer closed the link'));
    this.#handshakeTimer = setTimeout(() => this.end('no introduction came'), options.handshakeTimeoutMs);
    if (expectation.called !== undefined) this.#introduce(expectation.called);
  }

  get peer(): ReplicaId | undefined {
    return this.#peer;
  }
  /** The version that both ends speak; undefined before the introduction. */
  get protocol(): number | undefined {
    return this.#protocol;
  }
  get #protocols(): ProtocolRange {
    return this.#options.protocols ?? PROTOCOLS;
  }

  /** Sends the introduction again, if it was sent before. */
  helloChanged(): void {
    if (this.#introduced) this.#introduce(this.#peer ?? this.#expectation.called!);
  }
  #introduce(target: ReplicaId): void {
    this.#introduced = true;
    this.#queue(FRAME.hello, encodeIntroduction(target, this.#hello(), this.#protocols));
  }

  /** Bytes that the operating system has not taken yet. */
  get queued(): number {
    return this.#output.bytes + this.#socket.writableLength;
  }

  /** Never blocks. False: the queue is full or the message is too long for a frame; it is dropped. */
  send(message: Uint8Array, urgency: Urgency): boolean {
    if (this.#ended || message.length >= this.#options.frameBytesMax) return false;
    if (!this.#output.hasRoomFor(message.length, urgency, this.#socket.writableLength)) return false;
    this.#queue(FRAME.message, message, urgency);
    return true;
  }

  /** What the link itself says goes with the heartbeats: nothing may arrive before the introduction. */
  #queue(kind: number, body: Uint8Array, urgency: Urgency = 'droppable'): void {
    if (this.#ended) return;
    this.#output.push(urgency, frameOf(kind, body));
    this.#sent = true;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // One write per turn of the loop (16 x the messages per second of one write each).
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#ended || this.#writing || this.#output.bytes === 0) return;
    this.#writing = true;
    // The next portion when this one is gone: until then what is more urgent can still overtake.
    this.#socket.write(this.#output.take(), () => {
      this.#writing = false;
      this.#flush();
    });
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
    this.#received = true;
    const body = payload.subarray(1);
    switch (payload[0]) {
      case FRAME.hello:
        return this.#onIntroduction(decodeIntroduction(body, this.#protocols));
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

  #onIntroduction(introduction: Introduction): void {
    const { self, hello } = introduction;
    const own = this.#hello();
    const reason = refusal(own, introduction, { ...this.#expectation, protocols: this.#protocols });
    const protocol = commonProtocol(this.#protocols, introduction.protocols);
    if (protocol === undefined) this.#events.onStranger(self, reason!);
    else if (reason !== undefined && hello?.clusterId === own.clusterId)
      this.#events.onRefused(hello, reason);
    if (reason !== undefined || hello === undefined) return this.#refuse(reason ?? '');
    if (this.#peer !== undefined && self !== this.#peer) throw new FramingError(`a hello of replica ${self}`);
    if (this.#peer !== undefined) return this.#events.onHello(self, hello);
    clearTimeout(this.#handshakeTimer);
    this.#peer = self;
    this.#protocol = protocol;
    this.#reader.frameBytesMax = this.#options.frameBytesMax;
    if (!this.#introduced) this.#introduce(self);
    this.#silenceTimer = setInterval(() => this.#checkSilence(), this.#options.silenceMs / SILENCE_CHECKS);
    this.#events.onReady(this, self, hello);
  }

  #refuse(reason: string): void {
    this.#queue(FRAME.refused, Buffer.from(reason));
    this.#writing = false;
    this.#flush();
    this.end(reason, 'by-us');
  }

  #checkSilence(): void {
    this.#quietChecks = this.#received ? 0 : this.#quietChecks + 1;
    this.#received = false;
    if (this.#quietChecks >= SILENCE_CHECKS)
      return this.end(`nothing was received for ${this.#options.silenceMs} ms`);
    // While bytes wait to be sent, the peer will receive something anyway.
    if (!this.#sent && this.queued === 0) this.#queue(FRAME.alive, NOTHING);
    this.#sent = false;
  }

  end(reason: string, refused?: Refused): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshakeTimer);
    clearInterval(this.#silenceTimer);
    this.#output.clear();
    if (refused === undefined) this.#socket.destroy();
    else this.#linger();
    this.#events.onEnd(this, reason, refused);
  }

  /** Lets the refusal arrive, but does not wait for ever for the peer to close its side. */
  #linger(): void {
    const socket = this.#socket;
    socket.end();
    const enough = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(enough));
  }
}
