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

const ALL: readonly number[] = [1, 2, 3];

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
    name: 'a seal, a ballot each, from three replicas to two',
    bounds: { ...SMALLEST, seals: [1, 0, 0], configurations: [ALL, [2, 3]] },
    quick: true,
  },
  {
    name: 'a seal, a ballot each, from two replicas to three',
    bounds: { ...SMALLEST, seals: [1, 0, 0], configurations: [[1, 2], ALL] },
    quick: true,
  },
  {
    name: 'a seal, a command, from two replicas to two others',
    bounds: {
      ...SMALLEST,
      proposals: [1, 0, 0],
      seals: [1, 0, 0],
      configurations: [
        [1, 2],
        [2, 3],
      ],
    },
  },
  {
    name: 'a seal each, a ballot each, from three replicas to two',
    bounds: { ...SMALLEST, seals: [1, 1, 0], configurations: [ALL, [1, 2]] },
  },
  {
    name: 'a seal, two ballots and one, from three replicas to two',
    bounds: { ...SMALLEST, campaigns: [2, 1, 0], seals: [1, 0, 0], configurations: [ALL, [2, 3]] },
  },
  {
    name: 'a seal, a ballot each, from three replicas to two, the third crashes',
    bounds: { ...SMALLEST, seals: [1, 0, 0], crashes: [0, 0, 1], configurations: [ALL, [2, 3]] },
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
