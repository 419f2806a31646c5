import { createServer } from 'node:net';

/** Rejects with the error of the system (EADDRINUSE, EACCES, EADDRNOTAVAIL, with address and port) when nobody could listen there. */
export function portIsFree(host: string, port: number): Promise<void> {
  return new Promise((free, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, host, () => probe.close(() => free()));
  });
}
