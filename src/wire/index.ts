export type { Api } from './api.js';
export { errorByCode, errorCode, ERRORS, type ErrorCode, type ErrorName } from './errors.js';
export { FrameSplitter } from './frames.js';
export {
  decodeRequestHeader,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  type RequestHeader,
  writeResponseFrame,
} from './header.js';
export { WireReader } from './reader.js';
export {
  advertisedVersions,
  API_KEYS,
  type ApiByName,
  type ApiKey,
  apiNamed,
  type ApiName,
  APIS,
  findApi,
  type ReplyOf,
  type RequestByKey,
  type RequestInputByKey,
  type RequestOf,
  type ResponseByKey,
  unsupportedApiVersionsReply,
} from './registry.js';
export { NO_UUID } from './schema.js';
export { WireError } from './wire-error.js';
export { cutToString, fitsString, WireWriter } from './writer.js';
