import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LimitedLog, type Log } from '../kernel/index.js';

export interface HttpLimits {
  readonly connectionsMax: number;
  /** A request whose headers have not come by then loses its connection, and so does a connection without a request. Milliseconds. */
  readonly headersMs: number;
  /** A request whose body has not come by then, an answer that is not read, an idle connection. Milliseconds. */
  readonly silenceMs: number;
  /** How often the times are looked at. Milliseconds. */
  readonly checkMs: number;
  /** Answers that all clients together have not read. Bytes. */
  readonly unreadBytesMax: number;
}

export const HTTP_LIMITS: Omit<HttpLimits, 'connectionsMax'> = {
  headersMs: 10_000,
  silenceMs: 30_000,
  checkMs: 1_000,
  unreadBytesMax: 64 * 1024 * 1024,
};

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
/** By the code of Node's error; anything else that is no request is a 400. */
const STATUS: Readonly<Record<string, string>> = {
  [TIMED_OUT]: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};

const peerOf = ({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string =>
  `${remoteAddress}:${remotePort}`;

/**
 * Bounds what the clients of one server, or of several, can make them hold, whatever they send, and however slowly they
 * read. Who comes when all places are taken gets the place of the connection that has waited longest without a request.
 */
export class HttpClients {
  readonly #limits: HttpLimits;
  readonly #log: LimitedLog;
  /** Without a request under way, the longest waiting first. */
  readonly #waiting = new Set<Socket>();
  readonly #busy = new Map<Socket, number>();

  constructor(limits: HttpLimits, log: Pick<Log, 'warn'>) {
    this.#limits = limits;
    this.#log = new LimitedLog(
      (line) => log.warn(line),
      () => performance.now(),
    );
  }

  /** Of a server that does not listen yet. */
  watch(server: Server): void {
    const { headersMs, silenceMs, checkMs } = this.#limits;
    server.headersTimeout = headersMs;
    server.requestTimeout = silenceMs;
    server.setTimeout(silenceMs);
    // An option of createServer, which Nest does not pass on. Node reads it when the server begins to listen.
    Object.assign(server, { connectionsCheckingInterval: checkMs });
    server.on('connection', (socket) => this.#connected(socket));
    // Before the application's own listener: what does not fit is not worked on.
    server.prependListener('request', (request, response) => this.#asked(request, response));
    server.on('timeout', (socket: Socket) => this.#silent(socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#failed(error.code, socket as Socket),
    );
  }

  /** Also a connection that is kept alive and idle: that is worth no line. */
  #silent(socket: Socket): void {
    if (this.#busy.has(socket))
      this.#say(socket, `nothing was read or sent for ${this.#limits.silenceMs} ms`);
    socket.destroy();
  }

  /** What came is no request, or not in time. */
  #failed(code: string | undefined, socket: Socket): void {
    if (socket.destroyed) return;
    if (code === TIMED_OUT && socket.bytesRead > 0) this.#say(socket, 'its request did not come in time');
    // An answer that is under way would be cut in two.
    if (this.#busy.has(socket) || !socket.writable) return void socket.destroy();
    socket.write(`HTTP/1.1 ${STATUS[code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
    socket.destroySoon();
  }

  #say(socket: Socket, why: string): void {
    this.#log.line(`closed the HTTP connection of ${peerOf(socket)}: ${why}`);
  }

  #connected(socket: Socket): void {
    const { connectionsMax } = this.#limits;
    if (this.#waiting.size + this.#busy.size >= connectionsMax) {
      const [longest = socket] = this.#waiting;
      const why = longest === socket ? 'all of them are at work' : 'it had waited longest without a request';
      this.#end(longest, `${connectionsMax} are open, which is the most allowed, and ${why}`);
      if (longest === socket) return;
    }
    this.#waiting.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  #asked({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#waiting.delete(socket);
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    response.once('close', () => this.#answered(socket));
    this.#boundUnread();
  }

  #answered(socket: Socket): void {
    const others = (this.#busy.get(socket) ?? 0) - 1;
    if (others > 0) {
      this.#busy.set(socket, others);
      return;
    }
    this.#busy.delete(socket);
    if (!socket.destroyed) this.#waiting.add(socket);
  }

  /** Who has read least of its answers goes first. */
  #boundUnread(): void {
    let unread = 0;
    let most: Socket | undefined;
    for (const socket of this.#busy.keys()) {
      unread += socket.writableLength;
      if (socket.writableLength > (most?.writableLength ?? 0)) most = socket;
    }
    if (most === undefined || unread <= this.#limits.unreadBytesMax) return;
    this.#end(
      most,
      `it had not read ${most.writableLength} bytes, of ${unread} that all clients had not read`,
    );
  }

  #end(socket: Socket, why: string): void {
    this.#say(socket, why);
    socket.destroy();
    this.#forget(socket);
  }
  #forget(socket: Socket): void {
    this.#waiting.delete(socket);
    this.#busy.delete(socket);
  }
}
