import { type AddressInfo, createServer } from 'node:net';

/** Rejects with the error of the system (EADDRINUSE, EACCES, EADDRNOTAVAIL, with address and port) when nobody could listen there. */
export function portIsFree(host: string, port: number): Promise<void> {
  return new Promise((free, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, host, () => probe.close(() => free()));
  });
}

/** A port that was free a moment ago, and is now free again. */
export function anyFreePort(host: string): Promise<number> {
  return new Promise((found, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => found(port));
    });
  });
}
