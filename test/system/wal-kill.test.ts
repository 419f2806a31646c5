import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../src/kernel/index.js';
import { openFileStorage } from '../../src/storage/index.js';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';
import { eventually, sleep } from '../harness/waiting.js';

const KILLS = 200;
/** Each life begins in the log that the one before left; a new directory every so often keeps reading it back short. */
const LIVES_PER_DIRECTORY = 10;

describe('the write-ahead log', () => {
  it(`gives back everything acknowledged after its writer was killed with SIGKILL, ${KILLS} times`, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    let directory = '';
    let acknowledged = -1;
    let total = 0;
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        if (kill % LIVES_PER_DIRECTORY === 0) {
          if (directory !== '') rmSync(directory, { recursive: true });
          directory = mkdtempSync(join(tmpdir(), 'quorate-wal-kill-'));
          acknowledged = -1;
        }
        const first = (await readBack(directory, acknowledged)) + 1;
        const writer = new Child(
          'writer',
          process.execPath,
          ['test/system/wal-writer.js', directory, `${first}`],
          {
            cwd: ROOT,
          },
        );
        await eventually('the first acknowledgement', 30_000, () => writer.lines.length > 0, 1);
        await sleep(random.below(40));
        await writer.kill();
        // What the pipe still held when the writer died counts: it was said.
        await sleep(5);
        acknowledged = Math.max(acknowledged, ...writer.lines.map(Number));
        total = acknowledged;
        await readBack(directory, acknowledged);
      }
      expect(total).toBeGreaterThan(100);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 600_000);
});

/** The number of the last record; throws when one is missing, altered or out of order, or acknowledged and not there. */
async function readBack(directory: string, acknowledged: number): Promise<number> {
  const opened = await openFileStorage({ directory, segmentBytes: 65_536, zeroAheadBytes: 8_192 });
  try {
    if (opened.condition.kind === 'corrupt') throw new Error(`corrupt: ${opened.condition.detail}`);
    let last = -1;
    for (const { shard, payload } of opened.records) {
      const bytes = Buffer.from(payload);
      const number = bytes.readDoubleLE(0);
      if (number !== last + 1) throw new Error(`record ${number} follows ${last}`);
      const expected = Buffer.alloc(8 + (number % 300), number % 256);
      expected.writeDoubleLE(number);
      if (!bytes.equals(expected) || shard !== number % 8)
        throw new Error(`record ${number} is not what was written`);
      last = number;
    }
    if (last < acknowledged)
      throw new Error(`${acknowledged} was acknowledged, ${last} is the last that is there`);
    return last;
  } finally {
    await opened.storage.close();
  }
}
