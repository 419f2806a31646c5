import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { connectionLimits, openFilesMax } from '../../../src/app/descriptors.js';
import { boundedLines } from '../../../src/app/log.js';

const SETTINGS = { connectionsMax: 20_000, httpConnectionsMax: 1_000 };

describe('connections', () => {
  it('leave descriptors for the log, whatever the settings allow', () => {
    for (const filesMax of [64, 300, 1024, 20_000, 21_000]) {
      const { kafka, http, warning } = connectionLimits(SETTINGS, filesMax);
      expect(filesMax - kafka - http).toBeGreaterThanOrEqual(Math.min(128, filesMax / 2));
      expect(warning).toMatch(`may open ${filesMax} files`);
    }
  });
  it('are what the settings say where the system allows them, or does not say', () => {
    for (const filesMax of [1_000_000, undefined])
      expect(connectionLimits(SETTINGS, filesMax)).toEqual({
        kafka: 20_000,
        http: 1_000,
        warning: undefined,
      });
  });
  it('are limited by what the system says of this process', () => {
    if (process.platform === 'linux') expect(openFilesMax()).toBeGreaterThan(0);
    else expect(openFilesMax()).toBeUndefined();
  });
});

describe('a log that nobody reads', () => {
  it('takes a bounded amount of memory, and says afterwards how many lines it lost', () => {
    const stream = new PassThrough();
    const log = boundedLines(stream);
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 10_000; i++) log.write(line);
    expect(stream.writableLength + stream.readableLength).toBeLessThan(2 * 1024 * 1024);
    stream.read();
    while (stream.read() !== null);
    log.write(line);
    expect(String(stream.read())).toMatch(/lines were dropped/);
  });
});
