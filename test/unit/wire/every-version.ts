import { API_KEYS, APIS, type Api } from '../../../src/wire/index.js';

/** Any API, for tests that make its messages from its table. */
export type AnyApi = Api;

export function everyVersion(): readonly {
  readonly name: string;
  readonly api: AnyApi;
  readonly version: number;
}[] {
  return API_KEYS.flatMap((key) => {
    const api: AnyApi = APIS[key];
    return Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, i) => ({
      name: api.name,
      api,
      version: api.minVersion + i,
    }));
  });
}
