import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { INVARIANTS } from '../../../src/simulator/invariants/index.js';
import { huntsOnRecord, withTableOfHunts } from './hunts.js';
import { CAUGHT_SOON, MUTANTS } from './planted.js';

describe('planted bugs', () => {
  it.each(MUTANTS)('$name: applies', ({ file, from, to, everywhere = false }) => {
    const times = readFileSync(file, 'utf8').split(from).length - 1;
    expect(everywhere ? Math.min(times, 1) : times).toBe(1);
    expect(to).not.toBe(from);
  });

  it('have names of their own', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([...huntsOnRecord().keys(), ...CAUGHT_SOON]));
  });

  it('were caught by invariants that there are', () => {
    const known = [...Object.keys(INVARIANTS), 'a-world-ends', 'no-error-without-an-owner', null];
    for (const { caught } of huntsOnRecord().values()) expect(known).toContain(caught);
  });

  it('are in the docs as they were caught', () => {
    const page = readFileSync('docs/proof.md', 'utf8');
    expect(withTableOfHunts(page)).toBe(page);
  });
});
