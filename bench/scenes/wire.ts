import { seededRandom } from '../../src/kernel/index.js';
import { compile, type VersionCodec } from '../../src/wire/compile.js';
import { type Api, APIS, WireReader, WireWriter } from '../../src/wire/index.js';
import { median } from '../../test/harness/waiting.js';
import { everyVersion } from '../../test/unit/wire/every-version.js';
import { randomMessage } from '../../test/unit/wire/random-message.js';
import type { SceneContext } from './load.js';

const ROUNDS = 21;
const ROUND_MS = 10;
const CLOCK_EVERY = 200;
const MIXED_ROUNDS = 300;
/** A fast path that gains less is not worth its lines (docs/wire.md). */
const GAIN_MIN = 1.3;

const groupId = 'billing';
const memberId = 'worker-bc7b22a7-e2af-4bd2-b920-5e4224ea0e1d';
const name = 'tenants';
const offset = 123_456_789;
const PARTITIONS = [0, 1, 2, 3, 4, 5, 6, 7];
const each = <T>(make: (index: number) => T): readonly T[] => PARTITIONS.map(make);

interface Scene {
  readonly api: Api;
  readonly versions: readonly number[];
  readonly request: (version: number) => unknown;
  readonly response: (version: number) => unknown;
}

/** What a worker with eight partitions sends and gets, in the versions of kafkajs, older and newer librdkafka, Java. */
const SCENES: readonly Scene[] = [
  {
    api: APIS[12],
    versions: [3, 4],
    request: () => ({ groupId, generationId: 4, memberId }),
    response: () => ({ errorCode: 0 }),
  },
  {
    api: APIS[8],
    versions: [5, 7, 9],
    request: () => {
      const partitions = each((partitionIndex) => ({
        partitionIndex,
        committedOffset: offset,
        committedMetadata: '',
      }));
      return { groupId, generationIdOrMemberEpoch: 4, memberId, topics: [{ name, partitions }] };
    },
    response: () => ({
      topics: [{ name, partitions: each((partitionIndex) => ({ partitionIndex, errorCode: 0 })) }],
    }),
  },
  {
    api: APIS[9],
    versions: [4, 7, 9],
    request: (version) => {
      const topics = [{ name, partitionIndexes: PARTITIONS }];
      return version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] };
    },
    response: (version) => {
      const partitions = each((partitionIndex) => ({
        partitionIndex,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        metadata: '',
        errorCode: 0,
      }));
      const topics = [{ name, partitions }];
      return version < 8 ? { topics } : { groups: [{ groupId, topics }] };
    },
  },
  {
    api: APIS[1],
    versions: [11, 12],
    request: () => {
      const partitions = each((partition) => ({
        partition,
        fetchOffset: offset,
        partitionMaxBytes: 1_048_576,
      }));
      return { maxWaitMs: 500, minBytes: 1, topics: [{ topic: name, partitions }] };
    },
    response: () => {
      const partitions = each((partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: offset,
        lastStableOffset: offset,
        logStartOffset: 0,
        abortedTransactions: null,
        records: Buffer.alloc(0),
      }));
      return { responses: [{ topic: name, partitions }] };
    },
  },
];

/** The compiled tables against the hand-written paths, in nanoseconds a message, on one core. */
export function benchWire({ report }: SceneContext): Promise<void> {
  report.title('Codecs of the hottest messages, 8 partitions: the table and the fast path');
  mixTypes();
  for (const { api, versions, request, response } of SCENES) {
    for (const version of versions) {
      const title = `${api.name} v${version}`;
      const writer = new WireWriter();
      api.encodeRequest(writer, version, request(version));
      const bytes = writer.copy();
      const reply = response(version);
      const table = (side: 'request' | 'response'): VersionCodec =>
        compile(api[side], version, api.isFlexible(version));
      const reads = table('request');
      const writes = table('response');
      compare(`${title} request, read`, report, {
        table: () => reads.read(new WireReader(bytes)),
        fast: () => api.decodeRequest(new WireReader(bytes), version),
      });
      compare(`${title} response, written`, report, {
        table: () => {
          writer.reset();
          writes.write(writer, reply);
        },
        fast: () => {
          writer.reset();
          api.encodeResponse(writer, version, reply);
        },
      });
    }
  }
  return Promise.resolve();
}

/** A replica speaks all APIs at once: the engine must not take the code of the tables for that of one message. */
function mixTypes(): void {
  const random = seededRandom(1);
  const writer = new WireWriter();
  const mixed = everyVersion().map(({ api, version }) => {
    const flexible = api.isFlexible(version);
    const [request, response] = [api.request, api.response].map((shape) => compile(shape, version, flexible));
    return {
      api,
      version,
      codecs: [
        { codec: request!, value: randomMessage(api.request, version, flexible, random) },
        { codec: response!, value: randomMessage(api.response, version, flexible, random) },
      ],
    };
  });
  for (let round = 0; round < MIXED_ROUNDS; round++) {
    for (const { api, version, codecs } of mixed) {
      for (const { codec, value } of codecs) {
        writer.reset();
        codec.write(writer, value);
        codec.read(new WireReader(writer.view()));
      }
      writer.reset();
      api.encodeRequest(writer, version, codecs[0]!.value);
      api.decodeRequest(new WireReader(writer.view()), version);
      writer.reset();
      api.encodeResponse(writer, version, codecs[1]!.value);
    }
  }
}

function compare(
  what: string,
  report: SceneContext['report'],
  { table, fast }: { readonly table: () => void; readonly fast: () => void },
): void {
  const took = { table: [] as number[], fast: [] as number[] };
  // By turns, so that a neighbour on the machine disturbs both alike.
  for (let round = 0; round < ROUNDS; round++) {
    took.table.push(nanos(table));
    took.fast.push(nanos(fast));
  }
  const [tableNs, fastNs] = [median(took.table), median(took.fast)];
  report.add({ name: `${what}: table`, value: tableNs, unit: 'ns' });
  report.add({ name: `${what}: fast`, value: fastNs, unit: 'ns' });
  report.add({
    name: `${what}: gain`,
    value: tableNs / fastNs,
    unit: 'times',
    target: { kind: 'at least', value: GAIN_MIN },
  });
}

function nanos(act: () => void): number {
  const began = performance.now();
  let done = 0;
  for (;;) {
    for (let i = 0; i < CLOCK_EVERY; i++) act();
    done += CLOCK_EVERY;
    const ms = performance.now() - began;
    if (ms >= ROUND_MS) return (ms * 1e6) / done;
  }
}
