import { describe, expect, it } from '@jest/globals';
import {
  begun,
  type GroupId,
  groupId,
  memberId,
  PartedBytes,
  type Random,
  seededRandom,
  shardId,
  slot,
  SNAPSHOT_CHUNK_BYTES,
  topicId,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  type Command,
  createMachine,
  encodeCommand,
  type Machine,
  machineInNewCluster,
  restoreMachine,
  restoringMachine,
} from '../../../src/machine/index.js';
import { commit } from '../../harness/commits.js';
import { encodeSubscription } from '../../harness/consumer-protocol.js';

const OPTIONS = { shard: shardId(0), shards: 1 };
const TOPICS = ['a', 'b', 'c'].map(topicName);
const bytesOf = (chunks: Iterable<Uint8Array>): string => Buffer.concat([...chunks]).toString('base64');

const join = (group: GroupId, newId: string, memberIdRequired: boolean): Command => ({
  kind: 'group.join',
  group,
  memberId: memberId(''),
  newMemberId: memberId(newId),
  instanceId: null,
  clientId: 'c',
  clientHost: '/',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 30_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: encodeSubscription(TOPICS) }],
  memberIdRequired,
  canSkipAssignment: false,
  reason: null,
  resuming: false,
  settings: { groupSizeMax: 100, initialQuietMs: 100, initialDelayMsMax: 3_000, rebalanceRecordsMax: 5 },
});

/** A machine under random commands of every kind that changes what a snapshot holds. */
class Busy {
  readonly machine: Machine = createMachine(OPTIONS);
  readonly #random: Random;
  #slot = 0;
  #at = 1_000;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  step(): void {
    this.#at += this.#random.below(2_000);
    const payload = encodeCommand({ at: wallMs(this.#at), command: this.#command() });
    this.machine.apply(slot(++this.#slot), payload);
  }

  #command(): Command {
    const random = this.#random;
    const group = groupId(`g${random.below(6)}`);
    const topic = random.pick(TOPICS);
    const what = random.below(100);
    if (what < 35) {
      const offset = { ...commit(random.below(1_000)).offsets[0]!, topic };
      // Some groups have more offsets than are written in one go.
      const partitions = random.chance(0.04) ? 1_500 : 1 + random.below(5);
      const offsets = Array.from({ length: partitions }, (_, partition) => ({ ...offset, partition }));
      return { ...commit(0, { group }), offsets };
    }
    if (what < 55) return join(group, `m${this.#slot}`, random.chance(0.3));
    if (what < 60) return { kind: 'group.rollCall', quietMs: 100 };
    if (what < 64) return { kind: 'group.delete', group };
    if (what < 68) return { kind: 'group.expireOffsets', offsetsRetentionMs: 5_000 };
    if (what < 72) return { kind: 'group.startTokens', from: this.#slot };
    if (what < 76)
      return {
        kind: 'topic.create',
        name: topic,
        newId: topicId(`id-${this.#slot}`),
        partitions: 4,
        partitionsMax: 100,
      };
    if (what < 80) return { kind: 'topic.delete', name: topic, id: topicId('') };
    const id = `r${random.below(20)}`;
    const fields = [{ name: 'n', json: JSON.stringify('x'.repeat(random.below(100))) }];
    const insert = { kind: 'insert', id, fields, fence: null } as const;
    const update = {
      kind: 'update',
      id,
      version: 1 + random.below(3),
      fields,
      replace: false,
      fence: null,
    } as const;
    return {
      kind: 'record.write',
      space: `s${random.below(2)}`,
      operations: [random.chance(0.5) ? insert : update],
      atomic: false,
    };
  }
}

describe('a snapshot', () => {
  it('is the state of the moment at which its first chunk is asked for, whatever is applied before the last', () => {
    let chunks = 0;
    for (let seed = 0; seed < 30; seed++) {
      const busy = new Busy(seed);
      const random = seededRandom(seed + 1_000_000);
      for (let i = random.below(60); i >= 0; i--) busy.step();
      const expected = bytesOf(busy.machine.snapshot());
      const cut = begun(busy.machine.snapshot(50 + random.below(1_000)));
      const parts: Uint8Array[] = [];
      for (const part of cut) {
        parts.push(part);
        chunks++;
        for (let i = random.below(4); i > 0; i--) busy.step();
      }
      const found = bytesOf(parts);
      expect({ seed, same: found === expected }).toEqual({ seed, same: true });
      expect(bytesOf(restoreMachine(OPTIONS, Buffer.concat(parts)).snapshot())).toBe(expected);
    }
    expect(chunks).toBeGreaterThan(200);
  });

  it('keeps the configuration of replicas that a seal began, with and without ends of partitions', () => {
    for (const starts of [false, true]) {
      const machine = createMachine(OPTIONS);
      machine.applySeal(slot(1), Buffer.from('who decides'));
      if (starts)
        machine.apply(slot(2), encodeCommand({ at: wallMs(1_000), command: { kind: 'ends.start' } }));
      const bytes = Buffer.concat([...machine.snapshot()]);
      const again = restoreMachine(OPTIONS, bytes);
      expect(Buffer.from(again.configuration ?? []).toString()).toBe('who decides');
      expect([again.ends.started, again.hash]).toEqual([starts, machine.hash]);
      expect(bytesOf(again.snapshot())).toBe(bytesOf(machine.snapshot()));
      const inNewCluster = machineInNewCluster(OPTIONS, bytes, { at: wallMs(2_000), factsAreLatest: true });
      expect(inNewCluster.configuration).toBeUndefined();
    }
  });

  it('is read in steps as long as its chunks', () => {
    const machine = createMachine(OPTIONS);
    const [offset] = commit(1).offsets;
    const offsets = Array.from({ length: 3_000 }, (_, partition) => ({ ...offset!, partition }));
    for (let i = 1; i <= 10; i++) {
      const payload = encodeCommand({
        at: wallMs(1_000),
        command: { ...commit(1, { group: `g${i}` }), offsets },
      });
      machine.apply(slot(i), payload);
    }
    const bytes = Buffer.concat([...machine.snapshot()]);
    const steps = restoringMachine(OPTIONS, PartedBytes.whole(bytes));
    let count = 1;
    let next = steps.next();
    for (; next.done !== true; next = steps.next()) count++;
    expect(count).toBe(Math.ceil(bytes.length / SNAPSHOT_CHUNK_BYTES));
    expect(bytesOf(next.value.snapshot())).toBe(bytes.toString('base64'));
  });

  it('costs later commands nothing once it was ended early', () => {
    const busy = new Busy(7);
    for (let i = 0; i < 60; i++) busy.step();
    const { cuts } = busy.machine.groups as unknown as { readonly cuts: ReadonlySet<unknown> };
    const cut = begun(busy.machine.snapshot(1));
    cut.next();
    expect(cuts.size).toBe(1);
    cut.return?.();
    expect(cuts.size).toBe(0);
  });
});
