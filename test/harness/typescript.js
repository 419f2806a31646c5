import { register } from 'node:module';

/** `node --import ./test/harness/typescript.js FILE.ts` runs TypeScript as it stands, without a build. */
register('./typescript-hooks.js', import.meta.url);
