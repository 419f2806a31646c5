/** What to print when a replica cannot start: the cause, and what to do about it. */
export function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === 'EADDRINUSE')
    return `port ${port} on ${address} is in use: stop what uses it, or give this replica another port in \`replicas\`.`;
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} may not be used by this user: give a port above 1023.`;
  if (code === 'EADDRNOTAVAIL')
    return `the address ${address} is not one of this machine: correct it in \`replicas\` or the listen settings.`;
  if (code === 'ERR_MODULE_NOT_FOUND' && NEST.test(error.message))
    return `A replica runs on Nest, which is not installed here: npm install @nestjs/platform-express (11 or 12) brings all of it.`;
  return error.message;
}

/** The peers that only replicas and the Nest skin of `locking` need. */
const NEST = /^Cannot find package '(@nestjs\/[^']+|reflect-metadata|rxjs)'/;
