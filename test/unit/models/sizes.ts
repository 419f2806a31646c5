import type { GroupBounds } from './group-model.js';
import type { Bounds } from './paxos-replica.js';

/** What one search covers. Every search is exhaustive within its bounds; together they must end in three minutes. */
interface Size<B> {
  readonly name: string;
  readonly bounds: B;
  /** Also in the unit tests. */
  readonly quick?: true;
}

const SMALLEST: Bounds = {
  campaigns: [1, 1, 0],
  proposals: [0, 0, 0],
  crashes: [0, 0, 0],
  writesInFlight: 0,
  heartbeats: false,
  rejections: false,
};

export const PAXOS_SIZES: readonly Size<Bounds>[] = [
  { name: 'a ballot each, rejections', bounds: { ...SMALLEST, rejections: true }, quick: true },
  { name: 'a ballot each, a command of one', bounds: { ...SMALLEST, proposals: [1, 0, 0] }, quick: true },
  { name: 'two ballots and one', bounds: { ...SMALLEST, campaigns: [2, 1, 0] }, quick: true },
  { name: 'a ballot each, a command each', bounds: { ...SMALLEST, proposals: [1, 1, 0] } },
  { name: 'two ballots each', bounds: { ...SMALLEST, campaigns: [2, 2, 0] } },
  {
    name: 'two ballots and one, a command',
    bounds: { ...SMALLEST, campaigns: [2, 1, 0], proposals: [1, 0, 0] },
  },
  {
    name: 'a ballot each, the third replica crashes',
    bounds: { ...SMALLEST, crashes: [0, 0, 1] },
    quick: true,
  },
  {
    name: 'a ballot each, a command, the third replica crashes',
    bounds: { ...SMALLEST, proposals: [1, 0, 0], crashes: [0, 0, 1] },
  },
  {
    name: 'a ballot each, rejections, every replica crashes',
    bounds: { ...SMALLEST, crashes: [1, 1, 1], rejections: true },
  },
  {
    name: 'a ballot each, writes in flight, every replica crashes',
    bounds: { ...SMALLEST, crashes: [1, 1, 1], writesInFlight: 1 },
  },
  {
    name: 'two ballots and one, every replica crashes',
    bounds: { ...SMALLEST, campaigns: [2, 1, 0], crashes: [1, 1, 1] },
  },
  {
    name: 'two ballots each, the third replica crashes',
    bounds: { ...SMALLEST, campaigns: [2, 2, 0], crashes: [0, 0, 1] },
  },
  {
    name: 'a ballot each, writes in flight, the third replica crashes',
    bounds: { ...SMALLEST, crashes: [0, 0, 1], writesInFlight: 1 },
    quick: true,
  },
  {
    name: 'one ballot, heartbeats, writes in flight',
    bounds: { ...SMALLEST, campaigns: [1, 0, 0], heartbeats: true, rejections: true, writesInFlight: 1 },
  },
];

export const GROUP_SIZES: readonly Size<Omit<GroupBounds, 'depth'>>[] = [
  { name: 'dynamic members', bounds: { staticMember: false } },
  { name: 'a static member', bounds: { staticMember: true } },
];
export const GROUP_DEPTH = 12;
export const GROUP_DEPTH_QUICK = 7;
