import type { Socket } from 'node:net';
import { MalformedBytesError, type ReplicaId } from '../kernel/index.js';
import type { Hello } from '../replica/index.js';
import { FrameReader, FramingError, frameHeader } from './framing.js';
import { decodeIntroduction, encodeIntroduction, type Introduction, refusal } from './handshake.js';

export interface LinkOptions {
  readonly frameBytesMax: number;
  /** The most that may wait for a peer that does not read. Bytes. */
  readonly queueBytesMax: number;
  readonly handshakeTimeoutMs: number;
  /** A link on which nothing arrives for this long is given up: heartbeats flow all the time. */
  readonly silenceMs: number;
}

export interface LinkEvents {
  /** Introduced in both directions. */
  onReady(link: Link, peer: ReplicaId, hello: Hello): void;
  onHello(peer: ReplicaId, hello: Hello): void;
  onMessage(peer: ReplicaId, message: Buffer): void;
  /** Refused by us or by them, or broken. Once. */
  onEnd(link: Link, reason: string, refused: boolean): void;
}

/** First byte of every frame. */
const FRAME = { hello: 1, message: 2, refused: 3 } as const;

/** One TCP connection to a peer: introduction, frames, bounded output. */
export class Link {
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #hello: () => Hello;
  readonly #expected: ReplicaId | undefined;
  readonly #reader: FrameReader;
  readonly #patience: NodeJS.Timeout;
  #output: Buffer[] = [];
  #outputBytes = 0;
  #flushScheduled = false;
  #peer: ReplicaId | undefined;
  #ended = false;

  constructor(
    socket: Socket,
    expected: ReplicaId | undefined,
    hello: () => Hello,
    options: LinkOptions,
    events: LinkEvents,
  ) {
    this.#socket = socket;
    this.#expected = expected;
    this.#hello = hello;
    this.#options = options;
    this.#events = events;
    this.#reader = new FrameReader(options.frameBytesMax);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('the peer closed the link'));
    socket.on('timeout', () => this.end(`nothing was heard for ${options.silenceMs} ms`));
    socket.setTimeout(options.silenceMs);
    this.#patience = setTimeout(() => this.end('no introduction came'), options.handshakeTimeoutMs);
    this.introduce();
  }

  get peer(): ReplicaId | undefined {
    return this.#peer;
  }

  /** Says (again) who we are. */
  introduce(): void {
    const introduction = encodeIntroduction(this.#expected ?? -1, this.#hello());
    this.#queue(FRAME.hello, introduction);
  }

  /** What waits to be taken by the operating system. Bytes. */
  get queued(): number {
    return this.#outputBytes + this.#socket.writableLength;
  }

  /** Never blocks. False: there was no room, and the message is dropped. */
  send(message: Uint8Array, urgency: 'normal' | 'droppable' | 'bulk'): boolean {
    // Heartbeats go first when a peer does not keep up, bulk leaves room for what keeps the cluster going.
    const share = { normal: 1, droppable: 0.25, bulk: 0.5 }[urgency];
    if (this.#ended || this.queued + message.length > this.#options.queueBytesMax * share) return false;
    this.#queue(FRAME.message, message);
    return true;
  }

  #queue(kind: number, body: Uint8Array): void {
    if (this.#ended) return;
    const payload = Buffer.allocUnsafe(body.length + 1);
    payload[0] = kind;
    payload.set(body, 1);
    this.#output.push(frameHeader(payload), payload);
    this.#outputBytes += payload.length + 8;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // All of a turn in one write (16 x the messages of one write each).
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#ended || this.#output.length === 0) return;
    const bytes = this.#output.length === 1 ? this.#output[0]! : Buffer.concat(this.#output);
    this.#output = [];
    this.#outputBytes = 0;
    this.#socket.write(bytes);
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk, (payload) => this.#frame(payload));
    } catch (error) {
      if (!(error instanceof FramingError || error instanceof MalformedBytesError)) throw error;
      this.end(error.message);
    }
  }

  #frame(payload: Buffer): void {
    if (this.#ended) return;
    const body = payload.subarray(1);
    switch (payload[0]) {
      case FRAME.hello:
        return this.#introduced(decodeIntroduction(body));
      case FRAME.message:
        if (this.#peer === undefined) throw new FramingError('a message before the introduction');
        return this.#events.onMessage(this.#peer, body);
      case FRAME.refused:
        return this.end(`it refuses this replica: ${body.toString('utf8')}`, true);
      default:
        throw new FramingError(`a frame of the unknown kind ${payload[0]}`);
    }
  }

  #introduced(introduction: Introduction): void {
    const reason = refusal(this.#hello(), introduction, this.#peer ?? this.#expected);
    if (reason !== undefined) {
      // The other end sees the same, but told in its own words it is easier to find there too.
      this.#queue(FRAME.refused, Buffer.from(`${reason} (said by replica ${this.#hello().replicaId})`));
      this.#flush();
      return this.end(reason, true);
    }
    if (this.#peer !== undefined) return this.#events.onHello(this.#peer, introduction.hello);
    clearTimeout(this.#patience);
    this.#peer = introduction.self;
    this.#events.onReady(this, introduction.self, introduction.hello);
  }

  end(reason: string, refused = false): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#patience);
    this.#output = [];
    if (refused) this.#socket.end();
    else this.#socket.destroy();
    // A peer that never closes its side must not keep ours.
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
    this.#events.onEnd(this, reason, refused);
  }
}
