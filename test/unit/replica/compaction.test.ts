import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { monotonicMs, slot } from '../../../src/kernel/index.js';
import { createPaxos, decodeRecord, type Entry } from '../../../src/paxos/index.js';
import { Compaction } from '../../../src/replica/compaction.js';
import type { OpenedStorage } from '../../../src/replica/index.js';
import { openFileStorage } from '../../../src/storage/index.js';
import { logTo } from '../../harness/lines.js';
import { eventually } from '../../harness/waiting.js';
import { IDS, ONE_OF_THREE, oneShard } from './one-shard.js';

const WITHIN_MS = 10_000;
const LEADER = { ballot: { round: 1, priority: 1, replica: IDS[1]! } };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-compaction-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): Promise<OpenedStorage> =>
  openFileStorage({ directory, segmentBytes: 1_024, zeroAheadBytes: 512 });

describe('compaction', () => {
  it('keeps what is accepted and not chosen, over any number of segments: a restart finds it all', async () => {
    const opened = await open();
    let said = 0;
    const host = oneShard(
      opened.storage,
      { records: [], machine: undefined },
      {
        send: (_shard, { message }) => {
          if (message.kind === 'accepted') said = message.through;
        },
      },
    );
    const noop: Entry = { kind: 'noop' };
    // A leader that is slow to learn what is chosen: 20 slots are chosen, 80 stand behind them.
    for (let at = 1; at <= 100; at++) {
      const chosenThrough = slot(Math.min(20, at));
      const accept = {
        kind: 'accept' as const,
        ...LEADER,
        firstSlot: slot(at),
        entries: [noop],
        chosenThrough,
      };
      host.receive(IDS[1]!, { configuration: 1, ...accept });
      await eventually(`slot ${at} is durable`, WITHIN_MS, () => said === at);
    }
    expect(host.machine.appliedThrough).toBe(20);
    const before = opened.storage.logBytes();
    const compaction = new Compaction(
      opened.storage,
      1_024,
      { keepFrom: () => undefined },
      logTo(() => undefined),
    );
    compaction.maybeRun([host]);
    await eventually('the log is shorter', WITHIN_MS, () => !compaction.running);
    expect(opened.storage.logBytes()).toBeLessThan(before);
    await opened.storage.close();

    const again = await open();
    expect(again.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
    expect([...again.snapshots]).toEqual([[0, 20]]);
    const records = [...again.records].map(({ type, payload }) => decodeRecord(type, payload));
    const paxos = createPaxos(ONE_OF_THREE, { records, snapshotThrough: slot(20) }, monotonicMs(0));
    expect(paxos.status(monotonicMs(0))).toMatchObject({
      promised: LEADER.ballot,
      firstSlot: 21,
      lastSlot: 100,
    });
    await again.storage.close();
  }, 60_000);
});
