import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where a script of `scripts/fetch-*.sh` puts what it brings: in the cache of the user.
 * @param home a place of the user's own choice, as the script reads it from the environment.
 */
export const fetched = (name: string, home?: string): string =>
  home ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'quorate', name);
