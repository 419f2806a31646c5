import { type Random, seededRandom } from '../../src/kernel/index.js';
import type { ApiName } from '../../src/wire/index.js';
import { ADMIN_ACTIONS } from './generate-admin.js';
import { MEMBER_ACTIONS } from './generate-members.js';
import { OFFSET_ACTIONS } from './generate-offsets.js';
import type { Sequence, Step } from './sequence.js';

export type Versions = Readonly<Record<string, readonly [min: number, max: number]>>;

/** What the writer of a sequence believes of a member. Where it is wrong, a request of the sequence is a bad one. */
export interface Member {
  readonly client: string;
  readonly instance: string | null;
  /** It has asked to be a member, and has neither left nor been waited for until it was gone. */
  live: boolean;
  /** It has its session's answers only while it speaks. */
  shortSession: boolean;
  topics: readonly string[];
  /** It was given its id before it became a member: what it waits for can be given up. */
  named: boolean;
}

/** A sequence as it is being written. */
export interface Writing {
  readonly random: Random;
  readonly steps: Step[];
  readonly members: readonly Member[];
  /** Of every group, the first is the one with members. */
  readonly group: string;
  readonly otherGroup: string;
  readonly protocolType: string;
  /** Members' sessions are short, and are waited for. */
  readonly shortSessions: boolean;
  /** A barrier closes soon after it was set up, and is waited for. */
  readonly shortBarriers: boolean;
  ask(client: string, api: ApiName, body: unknown, versions?: readonly [min: number, max: number]): void;
  /** A version that both servers speak, within bounds. */
  version(api: ApiName, versions?: readonly [min: number, max: number]): number;
}

export type Action = readonly [weight: number, write: (writing: Writing) => void];

const CLIENTS = ['ada', 'ben', 'cleo'];
const SUFFIXES = [
  'g',
  'g',
  'g',
  'with space',
  'ünï',
  '..',
  '/',
  '%',
  'x'.repeat(200),
  'a"b\\c',
  '\u{1f600}',
  ' ',
];
const LONG_CLIENT_ID = `c${'-'.repeat(200)}`;

/** The same seed and versions give the same sequence. */
export function generate(seed: number, versions: Versions): Sequence {
  const random = seededRandom(seed * 7_919 + 1);
  const steps: Step[] = [];
  const suffix = random.pick(SUFFIXES);
  const members = CLIENTS.map((client): Member => ({
    client,
    instance: random.chance(0.3) ? `i-${client}` : null,
    live: false,
    shortSession: false,
    topics: ['cmp-a'],
    named: false,
  }));
  const version: Writing['version'] = (api, within = [0, 99]) => {
    const [min, max] = versions[api]!;
    const low = Math.max(min, within[0]);
    return low + random.below(Math.max(1, Math.min(max, within[1]) - low + 1));
  };
  const protocolType = random.chance(0.8) ? 'consumer' : random.pick(['connect', 'odd type']);
  const writing: Writing = {
    random,
    steps,
    members,
    group: 'A',
    otherGroup: 'B',
    protocolType,
    shortSessions: random.chance(0.15),
    shortBarriers: random.chance(0.15),
    ask: (client, api, body, within) =>
      void steps.push({ kind: 'ask', client, api, version: version(api, within), body }),
    version,
  };
  const actions: readonly Action[] = [...MEMBER_ACTIONS, ...OFFSET_ACTIONS, ...ADMIN_ACTIONS];
  const count = 5 + random.below(14);
  for (let i = 0; i < count; i++) weighted(actions, random)(writing);
  return {
    seed,
    groups: { A: suffix, B: `${suffix}-b` },
    clients: random.chance(0.1) ? { ada: LONG_CLIENT_ID } : random.chance(0.1) ? { ben: '' } : {},
    steps,
  };
}

function weighted(actions: readonly Action[], random: Random): (writing: Writing) => void {
  const total = actions.reduce((sum, [weight]) => sum + weight, 0);
  let left = random.next() * total;
  for (const [weight, write] of actions) {
    left -= weight;
    if (left < 0) return write;
  }
  return actions[0]![1];
}
