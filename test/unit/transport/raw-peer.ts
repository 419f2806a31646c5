import { connect, createServer, type Server, type Socket } from 'node:net';
import { crc32c } from '../../../src/kernel/index.js';

export const HELLO = 1;
export const MESSAGE = 2;
export const REFUSED = 3;
export const ALIVE = 4;

/** A frame as src/transport/README.md has it, written without the code under test. */
export function rawFrame(kind: number, body: Uint8Array): Buffer {
  const payload = Buffer.concat([Buffer.from([kind]), body]);
  const frame = Buffer.alloc(8 + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt32BE(crc32c(payload), 4);
  payload.copy(frame, 8);
  return frame;
}

export interface RawIntroduction {
  readonly magic?: number;
  readonly version?: number;
  readonly self: number;
  readonly target: number;
  readonly json: string;
}
export function rawIntroduction({
  magic = 0x514f5245,
  version = 1,
  self,
  target,
  json,
}: RawIntroduction): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(magic, 0);
  head.writeUInt32BE(version, 4);
  head.writeInt32BE(self, 8);
  head.writeInt32BE(target, 12);
  const text = Buffer.from(json);
  const length: number[] = [];
  let rest = text.length;
  for (; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([head, Buffer.from([...length, rest]), text]);
}

interface RawFrame {
  readonly kind: number;
  readonly body: Buffer;
}

/** One end of a link, in the hands of the test. */
export class RawPeer {
  readonly frames: RawFrame[] = [];
  chunks = 0;
  /** By the replica, or altogether. */
  isClosed = false;
  #bytes = Buffer.alloc(0);

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
    for (const event of ['end', 'close']) socket.on(event, () => (this.isClosed = true));
  }

  static call(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      // It keeps its side open until the test closes it, whatever the replica does.
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawPeer(socket)));
    });
  }

  of(kind: number): Buffer[] {
    return this.frames.filter((frame) => frame.kind === kind).map(({ body }) => body);
  }
  send(kind: number, body: Uint8Array): void {
    this.socket.write(rawFrame(kind, body));
  }

  #receive(chunk: Buffer): void {
    this.chunks++;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 8) {
      const end = 8 + this.#bytes.readUInt32BE(0);
      if (this.#bytes.length < end) return;
      this.frames.push({ kind: this.#bytes[8]!, body: Buffer.from(this.#bytes.subarray(9, end)) });
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

/** Listens where a replica is expected. */
export class RawListener {
  readonly peers: RawPeer[] = [];
  readonly calledAt: number[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }
  static async open(port: number, onCall: (peer: RawPeer) => void = () => undefined): Promise<RawListener> {
    const server = createServer((socket) => {
      const peer = new RawPeer(socket);
      listener.peers.push(peer);
      listener.calledAt.push(performance.now());
      onCall(peer);
    });
    const listener = new RawListener(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return listener;
  }
  close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Stands between two replicas and lets the test touch what goes by. */
export class Wire {
  /** Towards the replica that was called. */
  onForth: (chunk: Buffer) => Buffer = (chunk) => chunk;
  calls = 0;
  readonly #pairs = new Set<{ readonly near: Socket; readonly far: Socket }>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }
  static async open(port: number, to: number): Promise<Wire> {
    const server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port: to, noDelay: true });
      const pair = { near, far };
      wire.calls++;
      wire.#pairs.add(pair);
      near.on('data', (chunk: Buffer) => far.write(wire.onForth(chunk)));
      far.on('data', (chunk: Buffer) => near.write(chunk));
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on('error', () => undefined);
        one.on('close', () => {
          wire.#pairs.delete(pair);
          other.destroy();
        });
      }
    });
    const wire = new Wire(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return wire;
  }

  /** Connections that stand now. */
  get open(): number {
    return this.#pairs.size;
  }
  /** Bytes that nobody sent, towards the replica that was called. */
  inject(bytes: Buffer): void {
    for (const { far } of this.#pairs) far.write(bytes);
  }
  close(): Promise<void> {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
