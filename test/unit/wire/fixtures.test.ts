import { describe, expect, it } from '@jest/globals';
import {
  advertisedVersions,
  APIS,
  decodeRequestHeader,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  type RequestByKey,
  WireReader,
} from '../../../src/wire/index.js';
import {
  type CapturedExchange,
  capturedFrom,
  CLIENTS,
  decodedFrom,
  type DecodedExchange,
} from './fixtures.js';

const LENGTH_BYTES = 4;
/** None of these clients asks for it. */
const NOT_CAPTURED = ['DescribeCluster'];

/**
 * librdkafka asks for all topics with a null array: in flexible versions one zero byte. It leaves the zero four bytes long as
 * in older versions, so that its flags come three bytes late. A server that ignores what is behind a message, as Kafka does,
 * reads the zeros as flags and never notices; one that does not would turn away every `list_topics`.
 */
function bytesIgnored(client: string, { api, version }: CapturedExchange, decoded: unknown): number {
  const asksForAll = api.key === 3 && (decoded as RequestByKey[3]).topics === null;
  return client === 'librdkafka' && asksForAll && api.isFlexible(version) ? 3 : 0;
}

describe.each(CLIENTS)('what %s said', (client) => {
  const captured = capturedFrom(client).map((exchange, index) => ({
    ...exchange,
    title: `${exchange.api.name} v${exchange.version} #${index}`,
  }));

  it.each(captured)('$title: the request is read whole and written back to the byte', (exchange) => {
    const { api, version, request } = exchange;
    const { apiKey, apiVersion, correlationId, clientId, bodyOffset } = decodeRequestHeader(request);
    expect([apiKey, apiVersion]).toEqual([api.key, version]);
    const reader = new WireReader(request, bodyOffset);
    const decoded = api.decodeRequest(reader, version);
    const ignored = bytesIgnored(client, exchange, decoded);
    expect(reader.remaining).toBe(ignored);
    const written = encodeRequestFrame(api, { version, correlationId, clientId }, decoded);
    const understood = request.subarray(0, request.length - ignored);
    expect(written.subarray(LENGTH_BYTES).toString('hex')).toBe(understood.toString('hex'));
  });

  it.each(captured)('$title: the answer it took is read and written back to the byte', (exchange) => {
    const { api, version, request, response } = exchange;
    const { correlationId, response: decoded } = decodeResponseFrame(api, version, response);
    expect(correlationId).toBe(decodeRequestHeader(request).correlationId);
    const written = encodeResponseFrame(api, { version, correlationId }, decoded);
    expect(written.subarray(LENGTH_BYTES).toString('hex')).toBe(response.toString('hex'));
  });
});

it('holds every API that a client was seen to use', () => {
  const seen = new Set(CLIENTS.flatMap((client) => capturedFrom(client).map(({ api }) => api.name)));
  const missing = advertisedVersions()
    .map(({ apiKey }) => apiKey)
    .filter((key) => !seen.has(APIS[key].name))
    .map((key) => APIS[key].name);
  expect(missing).toEqual(NOT_CAPTURED);
});

/** A codec can be wrong both ways alike. What a client was told to say is known from its script in scripts/capture. */
describe('what was read is what was meant', () => {
  const GROUP = 'billing';
  const TOPIC = 'tenants';

  it.each(['kafkajs', 'librdkafka', 'platformatic'])(
    '%s: joins without an id, then with the one it was given',
    (client) => {
      const [first, second] = decodedFrom(client, 11);
      expect(first!.header.clientId).toBe('capture');
      expect(first!.request).toMatchObject({
        groupId: GROUP,
        sessionTimeoutMs: 3_000,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
      });
      // Kafka: KIP-394, MEMBER_ID_REQUIRED.
      expect(first!.response.errorCode).toBe(79);
      expect(second!.request.memberId).toBe(first!.response.memberId);
      expect(second!.response).toMatchObject({ errorCode: 0, leader: second!.request.memberId });
      expect(second!.response.members).toHaveLength(1);
    },
  );

  it('each client: names its assignors', () => {
    const assignors = (client: string): readonly string[] =>
      decodedFrom(client, 11)[0]!.request.protocols.map(({ name }) => name);
    expect(assignors('kafkajs')).toEqual(['RoundRobinAssigner']);
    expect(assignors('librdkafka')).toEqual(['range', 'roundrobin']);
    expect(assignors('platformatic')).toEqual(['roundrobin']);
  });

  it('each client: speaks its own versions of JoinGroup, Heartbeat, LeaveGroup, SyncGroup', () => {
    const versions = (client: string): readonly number[] =>
      ([11, 12, 13, 14] as const).map((key) => decodedFrom(client, key)[0]!.version);
    expect(versions('kafkajs')).toEqual([5, 3, 3, 3]);
    expect(versions('librdkafka')).toEqual([5, 3, 1, 3]);
    expect(versions('platformatic')).toEqual([9, 4, 5, 5]);
  });

  it('kafkajs and librdkafka: commit, and find what they committed', () => {
    const [kafkajs] = decodedFrom('kafkajs', 8);
    const [librdkafka] = decodedFrom('librdkafka', 8);
    for (const { request } of [kafkajs!, librdkafka!]) {
      expect(request).toMatchObject({ groupId: GROUP, generationIdOrMemberEpoch: 1 });
      expect(request.topics).toMatchObject([
        {
          name: TOPIC,
          partitions: [
            { partitionIndex: 0, committedOffset: 41 },
            { partitionIndex: 1, committedOffset: 7 },
          ],
        },
      ]);
    }
    expect(kafkajs!.request.topics[0]!.partitions[0]!.committedMetadata).toBe('a note');
    // Version 4 answers for one group, version 9 for many (docs/clients.md#fields-that-move).
    const [, v4] = decodedFrom('kafkajs', 9);
    const [, v9] = decodedFrom('librdkafka', 9);
    expect([v4!.version, v9!.version]).toEqual([4, 9]);
    for (const topics of [v4!.response.topics, v9!.response.groups[0]!.topics]) {
      expect(topics[0]!.partitions.map(({ committedOffset }) => committedOffset)).toEqual([41, 7, -1, -1]);
    }
  });

  it.each(['librdkafka', 'platformatic'])('%s: a static member beats with its instance id', (client) => {
    const instances = decodedFrom(client, 12).map(({ request }) => request.groupInstanceId);
    expect(instances).toContain('worker-2');
  });

  it('platformatic: looks for two coordinators at once (docs/clients.md#fields-that-move)', () => {
    const [{ request, response }] = decodedFrom('platformatic', 10) as [DecodedExchange<10>];
    expect(request.coordinatorKeys).toEqual([GROUP, 'another']);
    expect(response.coordinators.map(({ key }) => key)).toEqual([GROUP, 'another']);
  });

  it('platformatic: writes the id of a topic where Fetch 12 has its name', () => {
    const named = decodedFrom('platformatic', 3).flatMap(({ response }) => response.topics);
    const { topicId } = named.find(({ name }) => name === TOPIC)!;
    const [{ request, response }] = decodedFrom('platformatic', 1) as [DecodedExchange<1>];
    expect(new Set(request.topics.map(({ topic }) => topic))).toEqual(new Set([topicId]));
    // Kafka too would not know a topic of such a name; it only never meets this, as it speaks Fetch 13.
    expect(response.responses[0]!.partitions[0]!.errorCode).toBe(3);
  });

  it('librdkafka: says in the flexible ApiVersions what it is; kafkajs asks in a version that cannot', () => {
    expect(decodedFrom('librdkafka', 18)[0]!.request.clientSoftwareName).toBe('confluent-kafka-python');
    expect(decodedFrom('kcat', 18)[0]!.request.clientSoftwareName).toBe('librdkafka');
    expect(decodedFrom('kafkajs', 18)[0]!.request.clientSoftwareName).toBe('');
  });

  it.each(['kafkajs', 'librdkafka', 'kcat'])('%s: fetches for as long as it was told to wait', (client) => {
    for (const { request } of decodedFrom(client, 1)) {
      expect(request).toMatchObject({ replicaId: -1, maxWaitMs: 200, sessionId: 0 });
      expect(request.topics.map(({ topic }) => topic)).toEqual([TOPIC]);
    }
  });

  it('kafkajs and librdkafka: a record to produce, and the refusal', () => {
    for (const client of ['kafkajs', 'librdkafka']) {
      const [{ request, response }] = decodedFrom(client, 0) as [DecodedExchange<0>];
      expect(request.topicData[0]!.partitionData[0]!.records!.length).toBeGreaterThan(60);
      expect(response.responses[0]!.partitionResponses[0]!.errorCode).toBe(44);
    }
  });
});
