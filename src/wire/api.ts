import { assert } from '../kernel/index.js';
import { compile, type VersionCodec } from './compile.js';
import { WireReader } from './reader.js';
import { type Decoded, type Encodable, type Fields, structShape, type StructShape } from './schema.js';
import { WireError } from './wire-error.js';
import { type WireWriter } from './writer.js';

/**
 * Hand-written equals of the compiled codecs for the hottest messages, in the versions that clients use most. They only have
 * to be right about what is right: whatever one of them throws at or declines, the table does from the start, so that both
 * refuse the same bytes with the same words. `test/unit/wire/fast.test.ts` holds the two together.
 */
export interface FastPath<Req, ResIn> {
  /** The first and the last version that have one. */
  readonly versions: readonly [number, number];
  /** Undefined: declined. */
  readonly readRequest: (reader: WireReader, version: number) => Req | undefined;
  /** False: declined. */
  readonly writeResponse: (writer: WireWriter, version: number, response: ResIn) => boolean;
}

/**
 * One Kafka API in all its versions, both ways. `Req` and `Res` are what decoding yields (every field present), `ReqIn`
 * and `ResIn` what encoding takes (fields with a default may be left out).
 *
 * Every method throws WireError for a version outside `minVersion..maxVersion`, for bytes that are not what the version
 * says, and for values that it cannot carry. Byte fields of a decoded message are views of the buffer it was read from:
 * copy what outlives the request. Bytes after the message are ignored, as Kafka does.
 */
export interface Api<
  Key extends number = number,
  Name extends string = string,
  Req = unknown,
  Res = unknown,
  ReqIn = Req,
  ResIn = Res,
> {
  readonly key: Key;
  readonly name: Name;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The first version with compact types, tagged fields and the longer headers; null: none (KIP-482). */
  readonly flexibleFrom: number | null;
  readonly request: StructShape;
  readonly response: StructShape;

  supports(version: number): boolean;
  isFlexible(version: number): boolean;
  decodeRequest(source: WireReader | Buffer, version: number): Req;
  decodeResponse(source: WireReader | Buffer, version: number): Res;
  encodeRequest(writer: WireWriter, version: number, request: ReqIn): void;
  encodeResponse(writer: WireWriter, version: number, response: ResIn): void;
  /** The same API with codecs by hand for its hot versions. */
  withFast(fast: FastPath<Req, ResIn>): Api<Key, Name, Req, Res, ReqIn, ResIn>;
}

interface ApiTable<Key extends number, Name extends string, Q extends Fields, P extends Fields> {
  readonly key: Key;
  readonly name: Name;
  /** The first and the last version spoken and advertised. */
  readonly versions: readonly [number, number];
  readonly flexibleFrom: number | null;
  readonly request: Q;
  readonly response: P;
}

/** Makes an API out of its table. Codecs of a version are compiled when it is first used, then kept. */
export function api<
  const Key extends number,
  const Name extends string,
  const Q extends Fields,
  const P extends Fields,
>(
  table: ApiTable<Key, Name, Q, P>,
  fast?: FastPath<Decoded<Q>, Encodable<P>>,
): Api<Key, Name, Decoded<Q>, Decoded<P>, Encodable<Q>, Encodable<P>> {
  const { key, name, flexibleFrom } = table;
  const [minVersion, maxVersion] = table.versions;
  const request = structShape(table.request);
  const response = structShape(table.response);
  const isFlexible = (version: number): boolean => flexibleFrom !== null && version >= flexibleFrom;
  const supports = (version: number): boolean => version >= minVersion && version <= maxVersion;
  const fastIn = (version: number): typeof fast =>
    fast !== undefined && version >= fast.versions[0] && version <= fast.versions[1] ? fast : undefined;
  const perVersion = (
    side: 'request' | 'response',
    make: (version: number) => VersionCodec,
  ): ((version: number) => VersionCodec) => {
    const compiled: (VersionCodec | undefined)[] = new Array<undefined>(maxVersion + 1).fill(undefined);
    return (version) => {
      const known = compiled[version];
      if (known !== undefined) return known;
      if (!supports(version)) {
        throw new WireError(`version ${version}, spoken are ${minVersion} to ${maxVersion}`).within(
          `${name} ${side}`,
        );
      }
      return (compiled[version] = named(`${name} v${version} ${side}`, make(version)));
    };
  };
  const requestCodec = perVersion('request', (version) => {
    const table = compile(request, version, isFlexible(version));
    const path = fastIn(version);
    return path === undefined ? table : fastReader(path, version, table);
  });
  const responseCodec = perVersion('response', (version) => {
    const table = compile(response, version, isFlexible(version));
    const path = fastIn(version);
    return path === undefined ? table : fastWriter(path, version, table);
  });
  assert(minVersion >= 0 && minVersion <= maxVersion, `${name} has versions`);

  return {
    key,
    name,
    minVersion,
    maxVersion,
    flexibleFrom,
    request,
    response,
    supports,
    isFlexible,
    decodeRequest: (source, version) => requestCodec(version).read(readerOf(source)) as Decoded<Q>,
    decodeResponse: (source, version) => responseCodec(version).read(readerOf(source)) as Decoded<P>,
    encodeRequest: (writer, version, value) => requestCodec(version).write(writer, value),
    encodeResponse: (writer, version, value) => responseCodec(version).write(writer, value),
    withFast: (path) => api(table, path),
  };
}

function readerOf(source: WireReader | Buffer): WireReader {
  return source instanceof WireReader ? source : new WireReader(source);
}

/** A codec whose errors begin with the message they are about. */
function named(what: string, { read, write, bytesMin }: VersionCodec): VersionCodec {
  return {
    bytesMin,
    read: (reader) => {
      try {
        return read(reader);
      } catch (error) {
        throw error instanceof WireError ? error.within(what) : error;
      }
    },
    write: (writer, value) => {
      try {
        write(writer, value);
      } catch (error) {
        throw error instanceof WireError ? error.within(what) : error;
      }
    },
  };
}

function fastReader<Req>(
  { readRequest }: FastPath<Req, never>,
  version: number,
  table: VersionCodec,
): VersionCodec {
  const read = (reader: WireReader): unknown => {
    const start = reader.offset;
    try {
      const request = readRequest(reader, version);
      if (request !== undefined) return request;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    reader.rewind(start);
    return table.read(reader);
  };
  return { ...table, read };
}

function fastWriter<ResIn>(
  { writeResponse }: FastPath<unknown, ResIn>,
  version: number,
  table: VersionCodec,
): VersionCodec {
  const write = (writer: WireWriter, value: unknown): void => {
    const start = writer.length;
    try {
      if (writeResponse(writer, version, value as ResIn)) return;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    writer.truncate(start);
    table.write(writer, value);
  };
  return { ...table, write };
}

/** What decoding a request (response) of an API yields, and what encoding one takes. */
export type DecodedRequest<A> =
  A extends Api<number, string, infer Req, infer _1, infer _2, infer _3> ? Req : never;
export type DecodedResponse<A> =
  A extends Api<number, string, infer _1, infer Res, infer _2, infer _3> ? Res : never;
export type RequestInput<A> =
  A extends Api<number, string, infer _1, infer _2, infer In, infer _3> ? In : never;
export type ResponseInput<A> =
  A extends Api<number, string, infer _1, infer _2, infer _3, infer In> ? In : never;
