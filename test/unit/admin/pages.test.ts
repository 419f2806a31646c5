import { describe, expect, it } from '@jest/globals';
import { page, PAGE_MAX, pageQuery } from '../../../src/admin/pages.js';

const itself = (key: string): string => key;

describe('a list in parts', () => {
  it('is complete and in order, each item once, whatever the size of the parts', () => {
    const all = Array.from({ length: 53 }, (_, i) => `group-${(i * 37) % 53}`);
    for (const limit of [1, 7, 53, 100]) {
      const seen: string[] = [];
      let after: string | undefined;
      for (;;) {
        const { items, next } = page(all, itself, { limit, after });
        expect(items.length).toBeLessThanOrEqual(limit);
        seen.push(...items);
        if (next === null) break;
        after = next;
      }
      expect(seen).toEqual([...all].sort());
    }
  });

  it('goes on after a key that is gone by now', () => {
    expect(page(['a', 'c'], itself, { limit: 5, after: 'b' })).toEqual({ items: ['c'], next: null });
  });

  it.each(['0', '-1', '1.5', 'many', '', String(PAGE_MAX + 1)])('no limit is %j', (limit) => {
    expect(pageQuery(limit, undefined)).toBeUndefined();
  });
  it('has a limit when none is given', () => {
    expect(pageQuery(undefined, 'a')).toEqual({ limit: PAGE_MAX, after: 'a' });
  });
});
