import * as http from 'node:http';
import * as https from 'node:https';
import { urlToHttpOptions } from 'node:url';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Without the leading slash, percent-encoded. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
}

type Exchange =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly location: string | undefined;
      readonly text: string;
    }
  /** `left`: bytes of the request may have reached the replica. */
  | { readonly kind: 'failed'; readonly left: boolean; readonly error: Error };

/** A replica closes connections that rest for 5 seconds (Node's default). This side has to be first. */
const REST_MS = 4_000;

/** The connections to one replica: kept between requests, and given up when they rest. */
export class ReplicaConnections {
  /** Without a slash at the end. */
  readonly url: string;
  readonly #request: typeof http.request;
  readonly #target: http.RequestOptions;
  readonly #prefix: string;

  constructor(url: string) {
    this.url = withoutSlash(url);
    const parsed = new URL(this.url);
    const { protocol, hostname, port, auth } = urlToHttpOptions(parsed);
    const { request, Agent } = protocol === 'https:' ? https : http;
    this.#request = request;
    this.#prefix = withoutSlash(parsed.pathname);
    this.#target = { hostname, port, auth, agent: new Agent({ keepAlive: true, timeout: REST_MS }) };
  }

  /** Never rejects. `fetch` would do the same at several times the processor time. */
  exchange({ method, path, body }: HttpRequest, timeoutMs: number): Promise<Exchange> {
    return new Promise((resolve) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const request = this.#request({ ...this.#target, method, path: `${this.#prefix}/${path}`, headers });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      let left = false;
      const failed = (error: Error): void => {
        clearTimeout(timer);
        resolve({ kind: 'failed', left, error });
      };
      // Until the connection is made, every byte of the request is still here.
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => (left = true));
        else left = true;
      });
      request.once('error', failed);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('error', failed);
        response.once('end', () => {
          clearTimeout(timer);
          const { statusCode: status = 0 } = response;
          resolve({ kind: 'answered', status, location: response.headers.location, text });
        });
      });
      request.end(body);
    });
  }
}

export const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
