import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Address, Log } from '../kernel/index.js';

/** Dead peers are found by the kernel: a client that is merely silent is not one. Milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/** Where the connections of clients come from. */
export interface Listener {
  /** Resolves with the address that is listened on; rejects when it is taken. */
  listen(accept: (socket: Socket) => void): Promise<Address>;
  /** Takes no more. */
  close(): void;
}

export function tcpListener(host: string, port: number, log: Log): Listener {
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  return {
    listen: (accept) =>
      new Promise((resolve, reject) => {
        server.on('connection', accept);
        server.once('error', reject);
        server.listen({ host, port, backlog: 1024 }, () => {
          server.off('error', reject);
          server.on('error', (error) => log.warn(`the Kafka listener failed: ${error.message}`));
          const address = server.address() as AddressInfo;
          resolve({ host: address.address, port: address.port });
        });
      }),
    close: () => {
      if (server.listening) server.close();
    },
  };
}
