import { connect, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { type Random, seededRandom } from '../../src/kernel/index.js';
import { encodeRequestFrame } from '../../src/wire/index.js';
import { Cluster } from '../harness/cluster.js';
import type { Address } from '../harness/connection.js';
import { GroupMember } from '../harness/group-member.js';
import { eventually } from '../harness/waiting.js';
import { everyVersion } from '../unit/wire/every-version.js';
import { randomMessage } from '../unit/wire/random-message.js';

const FRAMES = 100_000;
const CONNECTIONS = 24;
/** A frame that is neither answered nor refused for this long is parked, or waits for bytes that never come. */
const SILENCE_MS = 15;
const GROWTH_BYTES_MAX = 200 * 1_024 * 1_024;

const VERSIONS = everyVersion();

function validFrame(random: Random): Buffer {
  const { api, version } = random.pick(VERSIONS);
  const body = randomMessage(
    api.request,
    version,
    api.flexibleFrom !== null && version >= api.flexibleFrom,
    random,
  );
  return encodeRequestFrame(
    api,
    { version, correlationId: random.below(1_000_000), clientId: 'fuzz' },
    body as never,
  );
}

/** A frame that was valid once; one in four still is, with values that no client would send. */
function mutated(random: Random): Buffer {
  let frame: Buffer = Buffer.from(validFrame(random));
  const rounds = random.below(4);
  for (let i = 0; i < rounds; i++) frame = MUTATIONS[random.below(MUTATIONS.length)]!(frame, random);
  return frame;
}

const MUTATIONS: readonly ((frame: Buffer, random: Random) => Buffer)[] = [
  // Some bits.
  (frame, random) => {
    for (let i = 1 + random.below(4); i > 0 && frame.length > 4; i--) {
      const at = 4 + random.below(frame.length - 4);
      frame[at] = frame[at]! ^ (1 << random.below(8));
    }
    return frame;
  },
  // Cut short, and its length says so: the fields run out.
  (frame, random) => withLength(frame.subarray(0, 4 + random.below(Math.max(1, frame.length - 4)))),
  // Too long: bytes left over.
  (frame, random) =>
    withLength(Buffer.concat([frame, Buffer.alloc(1 + random.below(40), random.below(256))])),
  // The length lies: too long (the rest never comes), or negative, or huge.
  (frame, random) => {
    if (frame.length >= 4)
      frame.writeInt32BE(random.pick([-1, 0, frame.length + 50, 2 ** 31 - 1, -(2 ** 31)]), 0);
    return frame;
  },
  // A number inside becomes an extreme one: counts and lengths of strings among them.
  (frame, random) => {
    if (frame.length < 12) return frame;
    const at = 4 + random.below(frame.length - 8);
    frame.writeInt32BE(random.pick([-1, -2, 2 ** 31 - 1, -(2 ** 31), 65_536, 1_000_000]), at);
    return frame;
  },
  // Two halves of different requests.
  (frame, random) => {
    const other = validFrame(random);
    const from = Math.min(other.length, 4 + random.below(other.length));
    return withLength(
      Buffer.concat([frame.subarray(0, 4 + random.below(frame.length)), other.subarray(from)]),
    );
  },
  // Another key or version.
  (frame, random) => {
    if (frame.length < 8) return frame;
    frame.writeInt16BE(random.below(80) - 2, 4);
    frame.writeInt16BE(random.below(16) - 2, 6);
    return frame;
  },
  // Garbage.
  (_frame, random) =>
    withLength(Buffer.from(Array.from({ length: 5 + random.below(60) }, () => random.below(256)))),
];

function withLength(frame: Buffer): Buffer {
  const result = Buffer.alloc(Math.max(4, frame.length));
  frame.copy(result);
  result.writeInt32BE(result.length - 4, 0);
  return result;
}

type Outcome = 'answered' | 'closed' | 'silent';

class FuzzConnection {
  readonly #address: Address;
  #socket: Socket | null = null;
  constructor(address: Address) {
    this.#address = address;
  }

  async send(frame: Buffer): Promise<Outcome> {
    const socket = (this.#socket ??= await this.#open());
    const outcome = await new Promise<Outcome>((resolve) => {
      const timer = setTimeout(() => settle('silent'), SILENCE_MS);
      const settle = (how: Outcome): void => {
        clearTimeout(timer);
        socket.removeAllListeners('data');
        socket.removeAllListeners('close');
        resolve(how);
      };
      socket.once('data', () => settle('answered'));
      socket.once('close', () => settle('closed'));
      socket.write(frame);
    });
    if (outcome !== 'answered') this.close();
    return outcome;
  }
  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }
  #open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#address.port, this.#address.host);
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        // The replica closes with bytes unread, which the kernel tells as a reset.
        socket.on('error', () => undefined);
        resolve(socket);
      });
    });
  }
}

describe('mutated frames', () => {
  it(`are refused or answered, ${FRAMES} of them, and the replica goes on serving`, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    const cluster = await Cluster.start({ replicas: 1 });
    try {
      const { kafka, child, http } = cluster.replica(1);
      const random = seededRandom(seed);
      const seen: Record<Outcome, number> = { answered: 0, closed: 0, silent: 0 };
      let left = FRAMES;
      const before = child.rssBytes();
      const work = async (): Promise<void> => {
        const connection = new FuzzConnection(kafka);
        while (left-- > 0) seen[await connection.send(mutated(random))]++;
        connection.close();
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, work));
      console.info(`seed ${seed}: ${JSON.stringify(seen)}`);
      expect(seen.answered + seen.closed + seen.silent).toBe(FRAMES);
      expect(seen.answered).toBeGreaterThan(1_000);
      expect(seen.closed).toBeGreaterThan(1_000);

      expect(child.running).toBe(true);
      const counters = await eventually('nothing of it is left', 30_000, async () => {
        const { broker } = (await (await fetch(`${http}/status`)).json()) as {
          broker: Record<string, number>;
        };
        const held = ['connectionsOpen', 'parked_join', 'parked_sync', 'parked_fetch'].map(
          (name) => broker[name],
        );
        return held.every((count) => count === 0) && broker;
      });
      expect(counters['connectionsClosed_defect']).toBe(0);
      expect(child.rssBytes() - before).toBeLessThan(GROWTH_BYTES_MAX);

      await cluster.createTopic('work', 6);
      const member = new GroupMember({ bootstrap: [kafka], group: 'healthy', topic: 'work', partitions: 6 });
      await member.start();
      expect(await member.commit(3, 7)).toBe(0);
      expect(await member.heartbeat()).toBe(0);
      await member.leave();
    } catch (error) {
      cluster.printLogs();
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      await cluster.close();
    }
  }, 300_000);
});
