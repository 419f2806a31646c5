import type { Api } from './api.js';
import { WireReader } from './reader.js';
import { findApi } from './registry.js';
import { WireError } from './wire-error.js';
import { WireWriter } from './writer.js';

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Chosen by the client; the answer has the same. */
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Where the body starts in the frame. */
  readonly bodyOffset: number;
}

/** ApiVersions is answered before the client knows what we speak: its response header never has tags (KIP-511). */
const API_VERSIONS = 18;

/**
 * Reads the header of a request frame (without its four bytes of length): v1, or v2 with tagged fields when the version
 * is flexible. The client id is a plain string in both. (v0, without client id, was for a request of ZooKeeper's times.)
 * For a key not spoken here `bodyOffset` is where v1 ends. Throws WireError.
 */
export function decodeRequestHeader(frame: Buffer): RequestHeader {
  const reader = new WireReader(frame);
  try {
    const apiKey = reader.int16();
    const apiVersion = reader.int16();
    const correlationId = reader.int32();
    const clientId = reader.nullableString(false);
    if (findApi(apiKey)?.isFlexible(apiVersion) === true) reader.skipTaggedFields();
    return { apiKey, apiVersion, correlationId, clientId, bodyOffset: reader.offset };
  } catch (error) {
    throw error instanceof WireError ? error.within('request header') : error;
  }
}

/** A whole request frame, length included. */
export function encodeRequestFrame<ReqIn>(
  api: Api<number, string, unknown, unknown, ReqIn>,
  header: { readonly version: number; readonly correlationId: number; readonly clientId: string | null },
  request: ReqIn,
): Buffer {
  const writer = new WireWriter();
  writer.int32(0);
  writer.int16(api.key);
  writer.int16(header.version);
  writer.int32(header.correlationId);
  writer.nullableString(header.clientId, false);
  if (api.isFlexible(header.version)) writer.uvarint(0);
  api.encodeRequest(writer, header.version, request);
  writer.patchInt32(0, writer.length - 4);
  return writer.view();
}

/** Appends a whole response frame, length included, so that many answers can leave in one write. */
export function writeResponseFrame<ResIn>(
  writer: WireWriter,
  api: Api<number, string, unknown, unknown, unknown, ResIn>,
  header: { readonly version: number; readonly correlationId: number },
  response: ResIn,
): void {
  const start = writer.length;
  writer.int32(0);
  writer.int32(header.correlationId);
  if (hasResponseTags(api, header.version)) writer.uvarint(0);
  api.encodeResponse(writer, header.version, response);
  writer.patchInt32(start, writer.length - start - 4);
}
/** A whole response frame, length included. */
export function encodeResponseFrame<ResIn>(
  api: Api<number, string, unknown, unknown, unknown, ResIn>,
  header: { readonly version: number; readonly correlationId: number },
  response: ResIn,
): Buffer {
  const writer = new WireWriter();
  writeResponseFrame(writer, api, header, response);
  return writer.view();
}

/** Reads a response frame (without its length) to a request of which the caller knows API and version. */
export function decodeResponseFrame<Res>(
  api: Api<number, string, unknown, Res>,
  version: number,
  frame: Buffer,
): { readonly correlationId: number; readonly response: Res } {
  const reader = new WireReader(frame);
  const correlationId = reader.int32();
  if (hasResponseTags(api, version)) reader.skipTaggedFields();
  return { correlationId, response: api.decodeResponse(reader, version) };
}

function hasResponseTags(api: Pick<Api, 'key' | 'isFlexible'>, version: number): boolean {
  return api.key !== API_VERSIONS && api.isFlexible(version);
}
