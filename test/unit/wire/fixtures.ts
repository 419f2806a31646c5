import { readdirSync, readFileSync } from 'node:fs';
import {
  type ApiKey,
  APIS,
  decodeRequestHeader,
  decodeResponseFrame,
  WireReader,
} from '../../../src/wire/index.js';
import type { RequestByKey, RequestHeader, ResponseByKey } from '../../../src/wire/index.js';
import type { AnyApi } from './every-version.js';

/** A request of a real client and the answer it got, as `npm run fixtures` wrote them; without lengths. */
export interface CapturedExchange {
  readonly client: string;
  readonly api: AnyApi;
  readonly version: number;
  readonly request: Buffer;
  readonly response: Buffer;
}
interface FixtureFile {
  readonly client: string;
  readonly key: ApiKey;
  readonly exchanges: readonly {
    readonly version: number;
    readonly request: string;
    readonly response: string;
  }[];
}

const FOLDER = new URL('./fixtures/', import.meta.url);
export const CLIENTS = readdirSync(FOLDER);

export function capturedFrom(client: string): readonly CapturedExchange[] {
  const folder = new URL(`${client}/`, FOLDER);
  return readdirSync(folder).flatMap((file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as FixtureFile;
    return fixture.exchanges.map(({ version, request, response }) => ({
      client: fixture.client,
      api: APIS[fixture.key],
      version,
      request: Buffer.from(request, 'hex'),
      response: Buffer.from(response, 'hex'),
    }));
  });
}

export interface DecodedExchange<K extends ApiKey> {
  readonly version: number;
  readonly header: RequestHeader;
  readonly request: RequestByKey[K];
  readonly response: ResponseByKey[K];
}
export function decodedFrom<K extends ApiKey>(client: string, key: K): readonly DecodedExchange<K>[] {
  return capturedFrom(client)
    .filter(({ api }) => api.key === key)
    .map(({ api, version, request, response }) => {
      const header = decodeRequestHeader(request);
      return {
        version,
        header,
        request: api.decodeRequest(new WireReader(request, header.bodyOffset), version) as RequestByKey[K],
        response: decodeResponseFrame(api, version, response).response as ResponseByKey[K],
      };
    });
}
