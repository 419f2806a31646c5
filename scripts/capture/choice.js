import {
  API_KEYS,
  APIS,
  decodeRequestHeader,
  decodeResponseFrame,
  WireReader,
} from '../../src/wire/index.ts';

const KEPT_PER_VERSION = 3;
const FRAME_BYTES_KEPT_MAX = 4096;

/**
 * What is worth keeping: for each API and version the first exchange, and up to two more that look different. Two look alike
 * when the same fields are empty, null, zero or negative, and the errors are the same.
 */
export function chosenExchanges(exchanges) {
  return API_KEYS.map((key) => ({ api: APIS[key], chosen: chosenOf(APIS[key], exchanges) })).filter(
    ({ chosen }) => chosen.length > 0,
  );
}

function chosenOf(api, exchanges) {
  const kept = new Map();
  for (const { key, version, request, response } of exchanges) {
    if (key !== api.key || response.length > FRAME_BYTES_KEPT_MAX) continue;
    const looks = look({ request: decodedRequest(api, request), response: decoded(api, version, response) });
    const known = kept.get(version) ?? new Map();
    kept.set(version, known);
    if (known.has(looks) || known.size === KEPT_PER_VERSION) continue;
    known.set(looks, { version, request: request.toString('hex'), response: response.toString('hex') });
  }
  return [...kept].sort(([a], [b]) => a - b).flatMap(([, known]) => [...known.values()]);
}

const decoded = (api, version, frame) => decodeResponseFrame(api, version, frame).response;
function decodedRequest(api, frame) {
  const { apiVersion, bodyOffset } = decodeRequestHeader(frame);
  return api.decodeRequest(new WireReader(frame, bodyOffset), apiVersion);
}

function look(value, name = '') {
  if (Buffer.isBuffer(value)) return value.length === 0 ? 'no bytes' : 'bytes';
  if (Array.isArray(value)) return `[${[...new Set(value.map((item) => look(item)))].join()}]`;
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([field, item]) => `${field}:${look(item, field)}`)
      .join()}}`;
  }
  if (typeof value === 'string') return value === '' ? 'no text' : 'text';
  if (typeof value === 'number') return /errorcode/i.test(name) ? String(value) : String(Math.sign(value));
  return String(value);
}
