import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { groupId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { createMachine, encodeCommand } from '../../../src/machine/index.js';
import { storedMachine } from '../../../src/replica/stored-machine.js';
import { commit } from '../../harness/commits.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const OPTIONS = { shard: shardId(0), shards: 1 };
const CHUNK_BYTES = 16 * 1024;

function snapshot(): Buffer {
  const machine = createMachine(OPTIONS);
  const [offset] = commit(1).offsets;
  for (let i = 1; i <= 20; i++) {
    const offsets = Array.from({ length: 1_000 }, (_, partition) => ({ ...offset!, partition }));
    const command = { ...commit(1, { group: groupId(`g${i}`) }), offsets };
    machine.apply(slot(i), encodeCommand({ at: wallMs(1_000), command }));
  }
  return Buffer.concat([...machine.snapshot()]);
}

const readFrom = (chunks: AsyncIterable<Uint8Array>) =>
  storedMachine({ readSnapshot: () => Promise.resolve({ through: slot(20), chunks }) }, OPTIONS);

it('a start holds few of the chunks of a snapshot in memory', async () => {
  const bytes = snapshot();
  const given: WeakRef<Uint8Array>[] = [];
  let most = 0;
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const chunk = new Uint8Array(bytes.subarray(at, at + CHUNK_BYTES));
      given.push(new WeakRef(chunk));
      yield chunk;
      // A weak reference holds its target until the turn is over.
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
      most = Math.max(most, given.filter((each) => each.deref() !== undefined).length);
    }
  })();
  const machine = await readFrom(chunks);
  expect(given.length).toBeGreaterThan(20);
  expect(most).toBeLessThan(5);
  expect(Buffer.concat([...machine!.snapshot()]).equals(bytes)).toBe(true);
});

it('a snapshot that cannot be read and is damaged is called damaged', async () => {
  const bytes = snapshot();
  for (const at of [0, 1_000, bytes.length / 2]) {
    const broken = Buffer.from(bytes);
    broken.fill(0xff, at, at + 100);
    const chunks = (async function* () {
      for (let from = 0; from < broken.length; from += CHUNK_BYTES)
        yield await Promise.resolve(broken.subarray(from, from + CHUNK_BYTES));
      throw new Error('it is damaged');
    })();
    await expect(readFrom(chunks)).rejects.toThrow('it is damaged');
  }
  const short = (async function* () {
    yield await Promise.resolve(bytes.subarray(0, -1));
  })();
  await expect(readFrom(short)).rejects.toThrow(/bytes wanted/);
});
