import { connect, createServer } from 'node:net';
import { decodeRequestHeader, findApi, FrameSplitter } from '../../src/wire/index.ts';

const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Sits between clients and a replica, passes every byte unchanged and keeps every request with its answer. Kafka answers
 * in the order of the requests, so the next answer belongs to the oldest request without one.
 */
export class RecordingProxy {
  /** `{ key, version, request, response }` in the order of the answers; frames without their lengths. */
  exchanges = [];
  #port;
  #to;
  #server;
  #sockets = new Set();

  constructor({ port, to }) {
    this.#port = port;
    this.#to = to;
    this.#server = createServer((client) => this.#accept(client));
  }

  start() {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
  }
  stop() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client) {
    const replica = connect(this.#to, '127.0.0.1');
    const open = [];
    const requests = new FrameSplitter(FRAME_BYTES_MAX);
    const responses = new FrameSplitter(FRAME_BYTES_MAX);
    this.#join(client, replica, (chunk) => {
      for (const frame of requests.push(chunk)) {
        const { apiKey: key, apiVersion: version, correlationId } = decodeRequestHeader(frame);
        open.push({ key, version, correlationId, request: Buffer.from(frame) });
      }
    });
    this.#join(replica, client, (chunk) => {
      for (const frame of responses.push(chunk)) {
        const { correlationId, ...exchange } = open.shift();
        if (frame.readInt32BE(0) !== correlationId) throw new Error('an answer out of order');
        if (findApi(exchange.key)?.supports(exchange.version))
          this.exchanges.push({ ...exchange, response: Buffer.from(frame) });
      }
    });
  }

  #join(from, to, see) {
    this.#sockets.add(from);
    from.on('data', (chunk) => {
      see(chunk);
      to.write(chunk);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
