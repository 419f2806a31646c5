import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { play } from './trace.js';

/** `npm run traces` writes what groups do under the inputs of each trace: read the diff before committing it. */
const rewrite = process.env['REWRITE_TRACES'] === '1';
const folder = join(process.cwd(), 'test/unit/groups/traces');
const traces = readdirSync(folder).filter((file) => file.endsWith('.txt'));

describe('golden traces of groups', () => {
  it.each(traces)('%s', (name) => {
    const file = join(folder, name);
    const golden = readFileSync(file, 'utf8');
    const played = play(golden);
    if (rewrite) return writeFileSync(file, played);
    // Line by line, so that the difference is shown as one.
    expect(played.split('\n')).toEqual(golden.split('\n'));
  });

  it('there are at least ten', () => {
    expect(traces.length).toBeGreaterThanOrEqual(10);
  });
});

describe('the language of the traces', () => {
  it('writes what happens under each input, and keeps remarks', () => {
    const written = play('# One member.\n> join A\n\n> pass 100\n');
    expect(written).toContain('# One member.\n> join A\n  answer: waits\n');
    expect(written).toContain('-> A: join: generation 1, range, leads A');
    expect(play(written)).toBe(written);
  });

  it('refuses what it does not know', () => {
    expect(() => play('> jion A')).toThrow('"jion" is no command');
    expect(() => play('> join')).toThrow('word 1 is missing');
    expect(() => play('> join A sesion=5')).toThrow('no such option here: sesion');
  });
});
