import { describe, expect, it } from '@jest/globals';
import { type Random, seededRandom } from '../../../src/kernel/index.js';
import type { FastPath } from '../../../src/wire/api.js';
import { compile, type VersionCodec } from '../../../src/wire/compile.js';
import { fetchFast } from '../../../src/wire/fast/fetch.js';
import { heartbeatFast } from '../../../src/wire/fast/heartbeat.js';
import { offsetCommitFast } from '../../../src/wire/fast/offset-commit.js';
import { offsetFetchFast } from '../../../src/wire/fast/offset-fetch.js';
import { APIS, WireError, WireReader, WireWriter } from '../../../src/wire/index.js';
import type { Shape } from '../../../src/wire/schema.js';
import type { AnyApi } from './every-version.js';
import { randomMessage } from './random-message.js';

const ROUNDS = 100;
const MUTATIONS_PER_ROUND = 12;

interface FastVersion {
  readonly title: string;
  readonly api: AnyApi;
  readonly version: number;
  readonly flexible: boolean;
  readonly fast: FastPath<object, never>;
  readonly request: VersionCodec;
  readonly response: VersionCodec;
}
const every = (api: AnyApi, fast: FastPath<object, never>): readonly FastVersion[] => {
  const [first, last] = fast.versions;
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const version = first + i;
    const flexible = api.isFlexible(version);
    return {
      title: `${api.name} v${version}`,
      api,
      version,
      flexible,
      fast,
      request: compile(api.request, version, flexible),
      response: compile(api.response, version, flexible),
    };
  });
};
const VERSIONS = [
  ...every(APIS[12], heartbeatFast),
  ...every(APIS[8], offsetCommitFast),
  ...every(APIS[9], offsetFetchFast),
  ...every(APIS[1], fetchFast),
];

/** What came of it, in a form that two ways of doing it can be compared by: the order of fields counts. */
type Outcome =
  | { readonly value: string; readonly offset: number }
  | { readonly problem: string; readonly offset: number | null; readonly path: string };

/** JSON, with bigints. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each));

function outcomeOf(act: () => unknown, reader: WireReader | null, above: string): Outcome {
  try {
    const value = act();
    return { value: textOf(value), offset: reader?.offset ?? 0 };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const path = error.path.startsWith(`${above}.`) ? error.path.slice(above.length + 1) : error.path;
    return { problem: error.problem, offset: error.offset, path: path === above ? '' : path };
  }
}
function readBothWays({ title, api, version, request }: FastVersion, bytes: Buffer): [Outcome, Outcome] {
  const [fast, table] = [new WireReader(bytes), new WireReader(bytes)];
  return [
    outcomeOf(() => api.decodeRequest(fast, version), fast, `${title} request`),
    outcomeOf(() => request.read(table), table, ''),
  ];
}
function writtenBothWays({ title, api, version, response }: FastVersion, value: unknown): [Outcome, Outcome] {
  const written = (write: (writer: WireWriter) => void): string => {
    const writer = new WireWriter(1);
    writer.int32(7);
    write(writer);
    return writer.view().toString('hex');
  };
  return [
    outcomeOf(() => written((w) => api.encodeResponse(w, version, value)), null, `${title} response`),
    outcomeOf(() => written((w) => response.write(w, value)), null, ''),
  ];
}

const encoded = ({ request }: FastVersion, value: unknown): Buffer => {
  const writer = new WireWriter();
  request.write(writer, value);
  return writer.copy();
};
function mutated(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let left = 1 + random.below(3); left > 0; left--) {
    copy[random.below(copy.length)] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff, random.below(256)]);
  }
  return random.chance(0.5) ? copy : copy.subarray(0, random.below(copy.length));
}

describe.each(VERSIONS)('$title', (version) => {
  const { api, fast, flexible, request } = version;
  const randomOf = (side: 'request' | 'response', random: Random): object =>
    randomMessage(api[side], version.version, flexible, random);

  it('reads what the table reads, and declines only what has tagged fields', () => {
    const random = seededRandom(1);
    let declined = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const value = randomOf('request', random);
      const bytes = encoded(version, value);
      const [ours, tables] = readBothWays(version, bytes);
      expect(ours).toEqual(tables);
      const direct = fast.readRequest(new WireReader(bytes), version.version);
      if (direct === undefined) declined++;
      else expect(textOf(direct)).toBe(textOf(request.read(new WireReader(bytes))));
    }
    expect(declined).toBeLessThan(api.key === 1 && flexible ? ROUNDS * 0.6 : 1);
  });

  it('writes what the table writes, also where fields are left out', () => {
    const random = seededRandom(2);
    let taken = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const whole = randomOf('response', random);
      for (const value of [whole, thinned(whole, api.response, random)]) {
        const [ours, tables] = writtenBothWays(version, value);
        expect(ours).toHaveProperty('value');
        expect(ours).toEqual(tables);
        if (fast.writeResponse(new WireWriter(), version.version, value as never)) taken++;
      }
    }
    expect(taken).toBeGreaterThan(ROUNDS / 4);
  });

  it('refuses what the table refuses, with the same words, at the same byte', () => {
    const random = seededRandom(3);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = encoded(version, randomOf('request', random));
      for (let i = 0; i < MUTATIONS_PER_ROUND; i++) {
        const [ours, tables] = readBothWays(version, mutated(bytes, random));
        expect(ours).toEqual(tables);
        if ('problem' in ours) refused++;
      }
    }
    expect(refused).toBeGreaterThan(ROUNDS);
  });

  it('refuses every cut of a message as the table does', () => {
    const bytes = encoded(version, randomOf('request', seededRandom(4)));
    for (let end = 0; end < bytes.length; end++) {
      const [ours, tables] = readBothWays(version, bytes.subarray(0, end));
      expect(ours).toEqual(tables);
      expect(ours).toHaveProperty('problem');
    }
  });

  it('refuses values that do not fit as the table does', () => {
    const random = seededRandom(6);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [ours, tables] = writtenBothWays(version, spoilt(randomOf('response', random), random));
      expect(ours).toEqual(tables);
      if ('problem' in ours) refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe.each(VERSIONS.filter(({ flexible }) => flexible))('$title', (version) => {
  it.each([
    ['one tag', [1, 9, 2, 0xaa, 0xbb], 'value'],
    ['two tags', [2, 8, 0, 9, 1, 0xcc], 'value'],
    ['a tag that is cut off', [1, 9, 5, 0xaa], 'problem'],
  ])('treats %s that it does not know as the table does', (_, tags, known) => {
    const random = seededRandom(5);
    const message = {
      ...randomMessage(version.api.request, version.version, true, random),
      clusterId: null,
    };
    // The last byte of a flexible message counts its tags: none so far.
    const tagged = Buffer.concat([encoded(version, message).subarray(0, -1), Buffer.from(tags)]);
    const [ours, tables] = readBothWays(version, tagged);
    expect(ours).toEqual(tables);
    expect(ours).toHaveProperty(known);
  });
});

it.each([
  { divergingEpoch: { epoch: 3, endOffset: 9 } },
  { currentLeader: { leaderId: 2, leaderEpoch: 5 } },
  { snapshotId: { endOffset: 9, epoch: 3 } },
  { abortedTransactions: [{ producerId: 1, firstOffset: 2 }] },
])('leaves a Fetch answer with %j to the table', (field) => {
  const partition = {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 7,
    abortedTransactions: null,
    records: null,
  };
  const reply = { responses: [{ topic: 't', partitions: [partition, { ...partition, ...field }] }] };
  const version = VERSIONS.find(({ title }) => title === 'Fetch v12')!;
  expect(version.fast.writeResponse(new WireWriter(), 12, reply as never)).toBe(false);
  const [ours, tables] = writtenBothWays(version, reply);
  expect(ours).toHaveProperty('value');
  expect(ours).toEqual(tables);
});

/** The same message without some of the fields that may be left out; of tagged ones few remain. */
function thinned(value: unknown, shape: Shape, random: Random): unknown {
  if (value === null) return null;
  switch (shape.kind) {
    case 'array':
      return (value as readonly unknown[]).map((item) => thinned(item, shape.item, random));
    case 'nullable':
      return thinned(value, shape.inner, random);
    case 'struct':
      return Object.fromEntries(
        Object.entries(shape.fields)
          .filter(([, { hasDefault, tag }]) => !hasDefault || !random.chance(tag === null ? 0.4 : 0.9))
          .map(([name, field]) => [
            name,
            thinned((value as Record<string, unknown>)[name], field.shape, random),
          ]),
      );
    default:
      return value;
  }
}

/** The same message with one number too large, or one text too long, wherever chance finds it. */
function spoilt(value: unknown, random: Random): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => spoilt(item, random));
  if (value !== null && typeof value === 'object' && !Buffer.isBuffer(value))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, spoilt(item, random)]));
  if (!random.chance(0.05)) return value;
  return typeof value === 'number' ? 2 ** 60 : typeof value === 'string' ? 'x'.repeat(0x8000) : value;
}

it('has a fast path for what clients send most (docs/clients.md#versions-that-clients-send)', () => {
  const titles = VERSIONS.map(({ title }) => title);
  // kafkajs, librdkafka 2.0, librdkafka 2.16 and Java.
  for (const title of [
    'Heartbeat v3',
    'Heartbeat v4',
    'OffsetCommit v5',
    'OffsetCommit v7',
    'OffsetCommit v9',
  ])
    expect(titles).toContain(title);
  for (const title of ['OffsetFetch v4', 'OffsetFetch v7', 'OffsetFetch v9', 'Fetch v11', 'Fetch v12'])
    expect(titles).toContain(title);
});
