import { describe, expect, it } from '@jest/globals';
import { ParkedReads } from '../../../src/replica/parked-reads.js';

describe('reads that wait for a quorum', () => {
  it('are refused beyond their limit, and taken again when one has ended', () => {
    const parked = new ParkedReads(2);
    const heard: string[] = [];
    const park = (id: number): boolean => parked.park(id, ({ kind }) => heard.push(`${id} ${kind}`));
    expect([park(1), park(2), park(3)]).toEqual([true, true, false]);
    expect(heard).toEqual(['3 overloaded']);
    parked.end([1], { kind: 'outcome-unknown' });
    expect(parked.size).toBe(1);
    expect(park(4)).toBe(true);
    expect(heard).toEqual(['3 overloaded', '1 outcome-unknown']);
  });
});
