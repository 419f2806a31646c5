import { type Carrier, ConnectionError, Exchange } from '../client/index.js';
import { BrokerEnd, type BrokerPort } from './kafka-client.js';
import type { StoppableTime } from './stoppable-time.js';
import type { VirtualTime } from './virtual-time.js';

/** The port that clients are told of the first replica is one above. */
export const KAFKA_PORT = 9_000;
export const PEER_PORT = 7_000;
const CONNECTS_IN_MS = 0.5;

interface Line {
  /** Of the world. */
  readonly time: VirtualTime;
  /** Of the client. */
  readonly own: StoppableTime;
  /** The brokers that can be reached now. */
  readonly brokers: () => readonly BrokerPort[];
}

/** The exchange of the client room over a connection of the simulated world. */
function carrierOver(
  { time, own }: Line,
  port: BrokerPort,
  address: Carrier['address'],
  clientId: string,
): Carrier {
  const toBroker = (run: () => void): void => end.later(run, CONNECTS_IN_MS / 2);
  const exchange = new Exchange(`simulated:${address.port}`, clientId, {
    send: (frame) => {
      const bytes = Buffer.from(frame);
      toBroker(() => end.arrive(bytes));
    },
    end: () => toBroker(() => end.left()),
    after: (ms, run) => own.after(ms, run),
  });
  const heard = (bytes: Buffer | undefined): void =>
    bytes === undefined ? exchange.fail('the connection was closed') : exchange.received(Buffer.from(bytes));
  const end = new BrokerEnd(port, time, `${clientId} ${time.now}`, (bytes) =>
    own.inProcess(() => heard(bytes)),
  );
  return {
    address,
    get isOpen() {
      return exchange.isOpen;
    },
    request: (key, version, body, timeoutMs) => exchange.request(key, version, body, timeoutMs),
    close: () => exchange.fail('closed here'),
  };
}

/** Connects a client of the client room to the brokers of a world. */
export function connectsTo(line: Line) {
  return (address: Carrier['address'], clientId: string): Promise<Carrier> =>
    new Promise((resolve, reject) => {
      line.own.after(CONNECTS_IN_MS, () => {
        const port = line.brokers().find(({ id }) => KAFKA_PORT + id === address.port);
        if (port === undefined) reject(new ConnectionError(`simulated:${address.port}`, 'refused'));
        else resolve(carrierOver(line, port, address, clientId));
      });
    });
}
