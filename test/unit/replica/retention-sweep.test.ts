import { describe, expect, it } from '@jest/globals';
import {
  generation,
  groupId,
  memberId,
  shardId,
  slot,
  topicName,
  unwatched,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  type Command,
  createMachine,
  DEFAULT_GROUP_SETTINGS,
  encodeCommand,
  type Machine,
  type ReplyTo,
} from '../../../src/machine/index.js';
import type { Coordinator, Outcome } from '../../../src/replica/index.js';
import { RetentionSweep } from '../../../src/replica/retention-sweep.js';

const SHARD = shardId(0);
const RETENTION_MS = 60_000;

/** One shard that is led here, and a loop that turns when it is told to. */
class Shard {
  /** Offsets that the sweep says that it removed. */
  removed = 0;
  readonly machine: Machine = createMachine({ shard: SHARD, shards: 1 });
  readonly sweep: RetentionSweep;
  readonly proposed: Extract<Command, { kind: 'group.expireThese' }>[] = [];
  serving = true;
  now = 0;
  #slot = 0;
  #ends: (() => void)[] = [];

  constructor() {
    const { machine } = this;
    const coordinator = {
      serves: () => this.serving,
      peek: () => machine,
      groupSettings: { ...DEFAULT_GROUP_SETTINGS, offsetsRetentionMs: RETENTION_MS },
      submit: <C extends Command>(
        _shard: number,
        command: C,
        done: (outcome: Outcome<ReplyTo<C>>) => void,
      ) => {
        if (command.kind === 'group.expireThese') this.proposed.push(command);
        this.apply(command);
        done({ kind: 'ok', reply: { kind: 'done' } as ReplyTo<C> });
      },
    };
    this.sweep = new RetentionSweep(
      coordinator as unknown as Coordinator,
      { endOfTurn: (callback) => this.#ends.push(callback) },
      unwatched,
      { expired: (offsets) => void (this.removed += offsets) },
    );
  }
  apply(command: Command): void {
    this.machine.apply(slot(++this.#slot), encodeCommand({ at: wallMs(this.now), command }));
  }
  commit(group: string, partitions: number): void {
    this.apply({
      kind: 'group.commit',
      group: groupId(group),
      generation: generation(-1),
      memberId: memberId(''),
      instanceId: null,
      groupNotFoundKnown: true,
      retentionMs: null,
      offsetMetadataBytesMax: 100,
      offsets: Array.from({ length: partitions }, (_, partition) => ({
        topic: topicName('t'),
        topicId: null,
        partition,
        offset: 1,
        leaderEpoch: -1,
        metadata: '',
      })),
    });
  }
  /** One turn of the loop. False when nothing is left to do. */
  turn(): boolean {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
    return ends.length > 0;
  }
}

describe('the sweep of retention', () => {
  it('removes what is past its time, group and all, and nothing else', () => {
    const shard = new Shard();
    shard.commit('old', 3);
    shard.now = RETENTION_MS - 1;
    shard.commit('fresh', 2);
    shard.now = RETENTION_MS;
    shard.sweep.start(SHARD, wallMs(shard.now));
    while (shard.turn());
    expect(Array.from(shard.machine.groups.list(), ({ group }) => group)).toEqual(['fresh']);
    expect(shard.machine.groups.offsetCount).toBe(2);
    expect(shard.removed).toBe(3);
    expect(shard.proposed).toHaveLength(1);
  });

  it('looks at a part and removes a part in each turn: 300,000 offsets take 5 ms of CPU a turn', () => {
    const shard = new Shard();
    for (let i = 0; i < 30; i++) shard.commit(`old-${i}`, 5_000);
    shard.now = RETENTION_MS;
    for (let i = 0; i < 30; i++) shard.commit(`fresh-${i}`, 5_000);
    const turnsMs: number[] = [];
    shard.sweep.start(SHARD, wallMs(shard.now));
    for (let more = true; more;) {
      const before = process.cpuUsage();
      more = shard.turn();
      const { user, system } = process.cpuUsage(before);
      turnsMs.push((user + system) / 1_000);
    }
    expect(shard.machine.groups.offsetCount).toBe(150_000);
    expect(shard.machine.groups.groupCount).toBe(30);
    const named = shard.proposed.map(({ groups }) =>
      groups.reduce(
        (sum, { topics }) => sum + topics.reduce((each, { partitions }) => each + partitions.length, 0),
        0,
      ),
    );
    expect(Math.max(...named)).toBeLessThanOrEqual(500);
    // CPU of the process, in which the collector's threads count too: some turns meet those.
    expect(turnsMs.sort((a, b) => a - b)[Math.floor(turnsMs.length * 0.9)]).toBeLessThan(5);
  });

  it('ends with the lead, and starts again with the next', () => {
    const shard = new Shard();
    shard.commit('old', 2_000);
    shard.now = RETENTION_MS;
    shard.sweep.start(SHARD, wallMs(shard.now));
    shard.serving = false;
    while (shard.turn());
    expect(shard.machine.groups.offsetCount).toBeGreaterThan(0);
    shard.serving = true;
    shard.sweep.start(SHARD, wallMs(shard.now));
    while (shard.turn());
    expect(shard.machine.groups.groupCount).toBe(0);
  });

  it('re-checks what it named: an offset that was committed meanwhile stays', () => {
    const shard = new Shard();
    shard.commit('old', 2);
    shard.now = RETENTION_MS;
    const named = { group: groupId('old'), topics: [{ topic: topicName('t'), partitions: [0, 1] }] };
    shard.commit('old', 1);
    shard.apply({ kind: 'group.expireThese', offsetsRetentionMs: RETENTION_MS, groups: [named] });
    expect([...shard.machine.groups.committedAll(groupId('old'))].map(({ partition }) => partition)).toEqual([
      0,
    ]);
  });
});
