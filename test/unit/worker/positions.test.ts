import { describe, expect, it } from '@jest/globals';
import { BrokerError, type CommittedPosition } from '../../../src/client/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { Positions, POSITIONS_MAX } from '../../../src/worker/positions.js';
import type { TopicPartition } from '../../../src/worker/types.js';

const held = (partition: number) => ({ id: 1, topic: 't', partition, epoch: 1, token: 1n, memberId: 'a' });
const moved = new BrokerError('OffsetFetch', errorCode('NOT_COORDINATOR'));

/** A coordinator that keeps the questions, each to be answered by the test. */
class Coordinator {
  readonly questions: (readonly TopicPartition[])[] = [];
  readonly positions = new Positions((partitions) => {
    this.questions.push(partitions);
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  });
  readonly #answers: {
    resolve: (found: readonly CommittedPosition[]) => void;
    reject: (error: Error) => void;
  }[] = [];

  async asked(count: number): Promise<void> {
    while (this.questions.length < count) await new Promise(setImmediate);
  }
  /** Each position is that of its partition. */
  answer(): void {
    const question = this.questions[this.questions.length - this.#answers.length]!;
    this.#answers.shift()!.resolve(question.map(({ partition }) => partition));
  }
  give(found: readonly CommittedPosition[]): void {
    this.#answers.shift()!.resolve(found);
  }
  fail(error: Error): void {
    this.#answers.shift()!.reject(error);
  }
}

describe('the positions of an assignment', () => {
  it('are one question', async () => {
    const coordinator = new Coordinator();
    const found = Promise.all([3, 1, 2].map((partition) => coordinator.positions.of(held(partition))));
    await coordinator.asked(1);
    coordinator.answer();
    expect(await found).toEqual([3, 1, 2]);
    expect(coordinator.questions).toHaveLength(1);
  });

  it('are asked for in slices when there are many, one after the other', async () => {
    const coordinator = new Coordinator();
    const partitions = Array.from({ length: 2 * POSITIONS_MAX + 7 }, (_, partition) => partition);
    const found = Promise.all(partitions.map((partition) => coordinator.positions.of(held(partition))));
    for (let slice = 1; slice <= 3; slice++) {
      await coordinator.asked(slice);
      coordinator.answer();
    }
    expect(await found).toEqual(partitions);
    expect(coordinator.questions.map(({ length }) => length)).toEqual([POSITIONS_MAX, POSITIONS_MAX, 7]);
  });

  it('that are wanted while a question is under way share the next one', async () => {
    const coordinator = new Coordinator();
    const first = coordinator.positions.of(held(0));
    await coordinator.asked(1);
    const later = Promise.all([1, 2].map((partition) => coordinator.positions.of(held(partition))));
    coordinator.answer();
    expect(await first).toBe(0);
    await coordinator.asked(2);
    coordinator.answer();
    expect(await later).toEqual([1, 2]);
    // And none is left: the next one asks anew.
    const last = coordinator.positions.of(held(5));
    await coordinator.asked(3);
    coordinator.answer();
    expect(await last).toBe(5);
  });

  it('fail one by one, or all when there is no answer', async () => {
    const coordinator = new Coordinator();
    const some = [0, 1].map((partition) => coordinator.positions.of(held(partition)));
    await coordinator.asked(1);
    coordinator.give([moved, null]);
    await expect(some[0]).rejects.toBe(moved);
    expect(await some[1]).toBeNull();
    const all = [0, 1].map((partition) => coordinator.positions.of(held(partition)));
    await coordinator.asked(2);
    coordinator.fail(moved);
    for (const one of all) await expect(one).rejects.toBe(moved);
  });
});
