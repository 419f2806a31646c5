import { createServer } from 'node:net';

/**
 * Below the range from which the kernel takes the source ports of outgoing connections (32768 on Linux): a replica that is
 * killed and restarted must find its port free.
 */
const FIRST = 20_000;
const LAST = 32_000;
const handedOut = new Set<number>();

/** Ports that nobody listens on, each handed out once in this process. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (handedOut.has(port) || !(await canListen(port))) continue;
    handedOut.add(port);
    ports.push(port);
  }
  return ports;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
