import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../../src/kernel/index.js';
import { SimulatedDisk } from '../../../src/simulator/disk.js';
import { writeFullySync } from '../../../src/storage/file-system.js';

const session = {
  effect: () => undefined,
  later: (_delayMs: number, run: () => void) => run(),
  blocks: () => undefined,
};

describe('the simulated disk', () => {
  it('keeps what was synced, loses any part of what was not', () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 200; seed++) {
      const disk = new SimulatedDisk(seededRandom(seed));
      const files = disk.fileSystem(session);
      const file = files.openSync('/data/a', 'w');
      writeFullySync(files, file, Buffer.alloc(1024, 1), 0);
      files.fsyncSync(file);
      files.fsyncSync(files.openSync('/data', 'r'));
      writeFullySync(files, file, Buffer.alloc(1024, 2), 0);
      disk.crash();
      const bytes = disk.fileSystem(session).readFileSync('/data/a');
      expect(bytes.length).toBe(1024);
      outcomes.add(`${bytes[0]}${bytes[512]}`);
    }
    expect([...outcomes].sort()).toEqual(['11', '12', '21', '22']);
  });

  it('may lose a name whose directory was not synced, and has the old file after a rename that was lost', () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      const disk = new SimulatedDisk(seededRandom(seed));
      const files = disk.fileSystem(session);
      for (const [name, byte] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        const file = files.openSync(`/data/${name}`, 'w');
        files.writeSync(file, Buffer.from([byte]), 0);
        files.fsyncSync(file);
        if (name === 'a') files.fsyncSync(files.openSync('/data', 'r'));
      }
      files.renameSync('/data/b', '/data/a');
      disk.crash();
      outcomes.add(String(disk.fileSystem(session).readFileSync('/data/a')[0]));
    }
    expect([...outcomes].sort()).toEqual(['1', '2']);
  });

  it('tells of the rest of a write that was cut while that is under way', () => {
    const told: string[] = [];
    const disk = new SimulatedDisk(seededRandom(1));
    const files = disk.fileSystem({ ...session, underWay: (what) => told.push(what) });
    const file = files.openSync('/data/a', 'w');
    const bytes = Buffer.alloc(1024, 1);
    const writeAll = (from: number): void =>
      files.write(file, bytes.subarray(from), from, (_, written) => {
        if (from + written < bytes.length) writeAll(from + written);
      });
    while (!told.includes("cut write's end")) writeAll(0);
    expect(told.slice(0, -1).every((what) => what === "write's end")).toBe(true);
  });

  it('writes what fits when it is full, and then fails', () => {
    const disk = new SimulatedDisk(seededRandom(1));
    const files = disk.fileSystem(session);
    const file = files.openSync('/data/a', 'w');
    disk.trouble.room = 10;
    expect(files.writeSync(file, Buffer.alloc(16), 0)).toBe(10);
    expect(() => files.writeSync(file, Buffer.alloc(6), 10)).toThrow('ENOSPC');
  });
});
