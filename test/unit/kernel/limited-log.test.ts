import { describe, expect, it } from '@jest/globals';
import { LimitedLog } from '../../../src/kernel/index.js';

describe('lines that anybody can cause', () => {
  it('are ten in ten seconds, and the next one says how many were left out', () => {
    const lines: string[] = [];
    let now = 0;
    const log = new LimitedLog(
      (line) => lines.push(line),
      () => now,
    );
    for (let i = 0; i < 1_000; i++) log.line(`line ${i}`);
    expect(lines).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i}`));
    now = 10_000;
    log.line('later');
    log.line('and later');
    expect(lines.slice(10)).toEqual(['later (990 lines like it before were left out)', 'and later']);
  });
});
