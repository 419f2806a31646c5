import { connect, type Socket } from 'node:net';
import { APIS, encodeRequestFrame } from '../src/wire/index.js';
import type { Api } from '../src/wire/index.js';

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
  readonly group: string;
  readonly generation: number;
  readonly memberId: string;
}

/** What the load generator is asked to do; its process prints one `LoadResult` as JSON and ends. */
export interface LoadJob {
  /** Groups and their coordinators: the connections take them in turn. */
  readonly targets: readonly LoadTarget[];
  readonly kind: 'commit' | 'heartbeat';
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly depth: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}
export interface LoadResult {
  readonly answers: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Of the load generator itself. */
  readonly clientCpuMicros: number;
  readonly errors: number;
}

const CORRELATION_AT = 8;
const MARK = 0x0012_3456_789a_bcdf;

/** A request whose correlation id and offset are written into a copy made once: the client must not be what is measured. */
class Template {
  readonly bytes: Buffer;
  readonly #offsetAt: number;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    const mark = Buffer.alloc(8);
    mark.writeBigInt64BE(BigInt(MARK));
    this.#offsetAt = bytes.indexOf(mark);
  }
  stamp(correlation: number, offset: number): Buffer {
    const bytes = Buffer.from(this.bytes);
    bytes.writeInt32BE(correlation, CORRELATION_AT);
    if (this.#offsetAt >= 0) bytes.writeBigInt64BE(BigInt(offset), this.#offsetAt);
    return bytes;
  }
}

function template(job: LoadJob, target: LoadTarget, connection: number): Template {
  const header = { correlationId: 0, clientId: 'load' };
  const { group: groupId, generation: generationId, memberId } = target;
  if (job.kind === 'heartbeat') {
    return new Template(
      encodeRequestFrame(APIS[12] as Api, { ...header, version: 3 }, { groupId, generationId, memberId }),
    );
  }
  return new Template(
    encodeRequestFrame(
      APIS[8] as Api,
      { ...header, version: 7 },
      {
        groupId,
        generationIdOrMemberEpoch: generationId,
        memberId,
        topics: [
          {
            name: job.topic,
            partitions: [
              {
                partitionIndex: connection % job.partitions,
                committedOffset: MARK,
                committedMetadata: null,
              },
            ],
          },
        ],
      },
    ),
  );
}

/** The error code of an answer: Heartbeat v3 ends with it, OffsetCommit v7 too (one partition was asked for). */
const errorAt = (frame: Buffer): number => frame.readInt16BE(frame.length - 2);

class Connection {
  readonly #target: LoadTarget;
  readonly #template: Template;
  readonly #sentAt: number[] = [];
  readonly #depth: number;
  readonly #onAnswer: (tookMs: number, error: number) => void;
  #socket: Socket | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;
  #stopped = false;

  constructor(job: LoadJob, index: number, onAnswer: (tookMs: number, error: number) => void) {
    this.#target = job.targets[index % job.targets.length]!;
    this.#template = template(job, this.#target, index);
    this.#depth = job.depth;
    this.#onAnswer = onAnswer;
  }

  open(): Promise<void> {
    const { host, port } = this.#target;
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => resolve());
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.on('data', (chunk) => this.#receive(chunk));
      this.#socket = socket;
    });
  }
  start(): void {
    this.#send(this.#depth);
  }
  stop(): void {
    this.#stopped = true;
    this.#socket?.destroy();
  }

  #send(count: number): void {
    if (this.#stopped || count === 0) return;
    const frames: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      frames.push(this.#template.stamp(this.#offset, ++this.#offset));
      this.#sentAt.push(performance.now());
    }
    this.#socket!.write(count === 1 ? frames[0]! : Buffer.concat(frames));
  }
  #receive(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const now = performance.now();
    let answers = 0;
    while (bytes.length >= 4) {
      const length = bytes.readInt32BE(0);
      if (bytes.length < 4 + length) break;
      this.#onAnswer(now - this.#sentAt.shift()!, errorAt(bytes.subarray(4, 4 + length)));
      bytes = bytes.subarray(4 + length);
      answers++;
    }
    this.#rest = bytes;
    this.#send(answers);
  }
}

async function run(job: LoadJob): Promise<LoadResult> {
  let measuring = false;
  let errors = 0;
  const took: number[] = [];
  const connections = Array.from(
    { length: job.connections },
    (_, index) =>
      new Connection(job, index, (ms, error) => {
        if (error !== 0) errors++;
        if (measuring) took.push(ms);
      }),
  );
  await Promise.all(connections.map((connection) => connection.open()));
  for (const connection of connections) connection.start();
  await new Promise((resolve) => setTimeout(resolve, job.warmUpMs));
  process.stdout.write('measuring\n');
  measuring = true;
  const cpu = process.cpuUsage();
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, job.measureMs));
  measuring = false;
  const seconds = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  process.stdout.write('measured\n');
  for (const connection of connections) connection.stop();
  const sorted = Float64Array.from(took).sort();
  return {
    answers: sorted.length,
    seconds,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    p999Ms: sorted[Math.floor(sorted.length * 0.999)] ?? Number.NaN,
    maxMs: sorted.at(-1) ?? Number.NaN,
    clientCpuMicros: user + system,
    errors,
  };
}

process.stdout.write(`${JSON.stringify(await run(JSON.parse(process.argv[2]!) as LoadJob))}\n`);
