import { createRequire } from 'node:module';

/** Of this file in src and in dist alike. */
const PACKAGE = createRequire(import.meta.url)('../../package.json') as { readonly version: string };

export const PACKAGE_VERSION = PACKAGE.version;
