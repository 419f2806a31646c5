import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scenarios } from './scenarios.js';

/** `npm run traces` writes the traces anew: read the diff before committing it. */
const rewrite = process.env['REWRITE_TRACES'] === '1';
const folder = join(process.cwd(), 'test/unit/paxos/traces');

describe('golden traces of the core', () => {
  for (const [name, play] of Object.entries(scenarios)) {
    it(name, () => {
      const story = play().text();
      const file = join(folder, `${name}.txt`);
      if (rewrite) writeFileSync(file, story);
      const golden = existsSync(file) ? readFileSync(file, 'utf8') : 'no such trace: npm run traces';
      // Line by line, so that the difference is shown as one.
      expect(story.split('\n')).toEqual(golden.split('\n'));
    });
  }

  it('has a scenario for every trace', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.txt$/, ''));
    expect(names.sort()).toEqual(Object.keys(scenarios).sort());
  });

  it('plays the same twice', () => {
    for (const play of Object.values(scenarios)) expect(play().text()).toBe(play().text());
  });
});
