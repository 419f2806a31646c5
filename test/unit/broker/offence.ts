import { connect, type Socket } from 'node:net';
import { expect } from '@jest/globals';
import type { BrokerCounters, BrokerSettings } from '../../../src/broker/index.js';
import { type Bench, bench } from './broker-bench.js';
import { turns, until } from './client.js';
import { heartbeatOf } from './requests.js';

const KEPT_BYTES_MAX = 64 * 1024;

/** A client that sends bytes, whatever they are, and keeps the beginning of what comes back. */
export class RawClient {
  isClosed = false;
  readonly closed: Promise<void>;
  readonly peer: string;
  #bytes = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    this.peer = `127.0.0.1:${socket.localPort}`;
    socket.on('data', (chunk: Buffer) => {
      if (this.#bytes.length < KEPT_BYTES_MAX) this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) =>
      socket.on('close', () => {
        this.isClosed = true;
        resolve();
      }),
    );
  }
  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  get received(): Buffer {
    return this.#bytes;
  }
  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }
  /** What comes next, once it is so many bytes. */
  async next(bytes: number): Promise<Buffer> {
    await until(() => this.#bytes.length >= bytes || this.isClosed);
    const taken = this.#bytes.subarray(0, bytes);
    this.#bytes = this.#bytes.subarray(bytes);
    return taken;
  }
}

/** A request frame by hand, with the header of a version that is not flexible unless `body` begins with its tags. */
export function frameOf(
  key: number,
  version: number,
  body: Buffer,
  { correlationId = 1, clientId = 'tester' } = {},
): Buffer {
  const name = Buffer.from(clientId);
  const header = Buffer.alloc(14);
  header.writeInt32BE(10 + name.length + body.length, 0);
  header.writeInt16BE(key, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(name.length, 12);
  return Buffer.concat([header, name, body]);
}
export const int16 = (value: number): Buffer => Buffer.from([value >> 8, value]);
export const int32 = (value: number): Buffer => Buffer.concat([int16(value >> 16), int16(value)]);
export const string = (text: string): Buffer => Buffer.concat([int16(text.length), Buffer.from(text)]);

type Cause = keyof BrokerCounters['connectionsClosed'];
export function closedBy(made: Bench): Partial<Record<Cause, number>> {
  const all = Object.entries(made.broker.snapshot().connectionsClosed);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

export interface Offence {
  readonly settings?: Partial<BrokerSettings>;
  readonly cause: Cause;
  /** What the line says after the peer. */
  readonly says: string | RegExp;
  readonly clientId?: string;
}

/** Lets time pass in steps, in each of which the bystander says something, until the offender is gone. */
export type Pass = (ms: number, steps: number) => Promise<void>;

/**
 * A client does what ends its connection: one line names it and the cause, one count, nothing stays behind, and a
 * connection that was there before goes on as if nothing had happened.
 */
export async function offence(
  { settings = {}, cause, says, clientId = 'tester' }: Offence,
  act: (offender: RawClient, made: Bench, pass: Pass) => void | Promise<void>,
): Promise<{ readonly offender: RawClient; readonly made: Bench }> {
  const made = await bench(settings);
  const other = await made.client();
  expect((await other.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
  const offender = await RawClient.open(made.port);
  await act(offender, made, async (ms, steps) => {
    for (let step = 0; step < steps && !offender.isClosed; step++) {
      await other.call(12, 3, heartbeatOf('billing'));
      made.clock.advance(ms / steps);
      await turns();
    }
  });
  await until(() => offender.isClosed || closedBy(made)[cause] === 1);
  offender.socket.resume();
  await offender.closed;
  await turns();
  const [line, ...more] = made.log;
  const start = `closed the connection of ${offender.peer} (client id ${JSON.stringify(clientId)}): `;
  expect(line?.slice(0, start.length)).toBe(start);
  if (typeof says === 'string') expect(line?.slice(start.length)).toBe(says);
  else expect(line?.slice(start.length)).toMatch(says);
  expect(more).toEqual([]);
  expect(closedBy(made)).toEqual({ [cause]: 1 });
  expect(made.broker.snapshot()).toMatchObject({
    connectionsOpen: 1,
    parked: { join: 0, sync: 0, fetch: 0, heartbeat: 0 },
  });
  expect((await other.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
  return { offender, made };
}
