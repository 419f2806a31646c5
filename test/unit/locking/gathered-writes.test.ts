import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OutcomeUnknownError, StoreUnavailableError } from '../../../src/locking/index.js';
import { GatheredWrites } from '../../../src/locking/gathered-writes.js';
import { RequestRefusedError } from '../../../src/locking/replica-requests.js';

const DEADLINE_MS = 1_000;

interface Sent {
  readonly operations: readonly string[];
  readonly until: number;
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

describe('writes made at the same time', () => {
  let time: number;
  let sent: Sent[];
  let writes: GatheredWrites<string>;
  beforeEach(() => {
    time = 10_000;
    jest.spyOn(performance, 'now').mockImplementation(() => time);
    sent = [];
    writes = new GatheredWrites({
      deadlineMs: DEADLINE_MS,
      send: (operations, until) =>
        new Promise((resolve, fail) => {
          sent.push({ operations, until, fail, answer: () => resolve(operations.map((it) => `${it} done`)) });
        }),
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await turn();
  };
  const operationsSent = (): readonly (readonly string[])[] => sent.map(({ operations }) => operations);
  /** So many requests that nothing else is sent before one of them is answered. */
  const fill = async (): Promise<void> => {
    for (let before = -1; sent.length > before; await turns()) {
      before = sent.length;
      void writes.write(['blocker']);
    }
    // The last one found no room, and takes that of the first.
    sent[0]!.answer();
    await turns();
  };

  it('share a request, and each gets its own outcomes', async () => {
    const answers = [writes.write(['a']), writes.write(['b', 'c']), writes.write(['d'])];
    await turns();
    expect(operationsSent()).toEqual([['a', 'b', 'c', 'd']]);
    sent[0]!.answer();
    expect(await Promise.all(answers)).toEqual([['a done'], ['b done', 'c done'], ['d done']]);
  });

  it('leave alone and at once when they come alone, also while others are on their way', async () => {
    void writes.write(['a']);
    await turns();
    void writes.write(['b']);
    await turns();
    expect(operationsSent()).toEqual([['a'], ['b']]);
  });

  it('gather while enough requests are on their way', async () => {
    await fill();
    const full = sent.length;
    void writes.write(['a']);
    await turns();
    void writes.write(['b']);
    await turns();
    expect(sent).toHaveLength(full);
    sent[1]!.answer();
    await turns();
    expect(operationsSent().slice(full)).toEqual([['a', 'b']]);
  });

  it('make a request no larger than a transaction may be, nor longer than a replica reads', async () => {
    const many = Array.from({ length: 300 }, (_, i) => writes.write([`${i}`]));
    await turns();
    expect(operationsSent().map((operations) => operations.length)).toEqual([256, 44]);
    for (const { answer } of sent) answer();
    expect((await Promise.all(many)).at(-1)).toEqual(['299 done']);
    sent = [];
    const long = 'x'.repeat(100_000);
    for (let i = 0; i < 4; i++) void writes.write([long]);
    await turns();
    expect(operationsSent().map((operations) => operations.length)).toEqual([2, 2]);
  });

  it('leave what is larger than that to whoever reads it', async () => {
    void writes.write(Array.from({ length: 300 }, (_, i) => `${i}`));
    void writes.write(['after']);
    await turns();
    expect(operationsSent().map((operations) => operations.length)).toEqual([300, 1]);
  });

  it('do not suffer from a neighbour that is refused', async () => {
    const answers = Promise.allSettled([writes.write(['a']), writes.write(['bad']), writes.write(['c'])]);
    await turns();
    sent[0]!.fail(new RequestRefusedError('something is wrong with one of them'));
    await turns();
    expect(operationsSent().slice(1)).toEqual([['a'], ['bad'], ['c']]);
    const refusal = new RequestRefusedError('this one');
    sent[1]!.answer();
    sent[2]!.fail(refusal);
    sent[3]!.answer();
    expect(await answers).toEqual([
      { status: 'fulfilled', value: ['a done'] },
      { status: 'rejected', reason: refusal },
      { status: 'fulfilled', value: ['c done'] },
    ]);
  });

  it('are all unknown when their answer is lost, and none of them is sent again', async () => {
    const answers = Promise.allSettled([writes.write(['a']), writes.write(['b'])]);
    await turns();
    const lost = new OutcomeUnknownError('a write', new Error('connection reset'));
    sent[0]!.fail(lost);
    expect(await answers).toEqual([
      { status: 'rejected', reason: lost },
      { status: 'rejected', reason: lost },
    ]);
    await turns();
    expect(sent).toHaveLength(1);
  });

  it('give up when their own time is over, not that of another', async () => {
    await fill();
    const early = writes.write(['early']);
    time += 600;
    const late = writes.write(['late']);
    sent[1]!.answer();
    await turns();
    const { operations, until, fail } = sent.at(-1)!;
    expect([operations, until]).toEqual([['early', 'late'], 11_000]);
    time = until + 1;
    const unavailable = new StoreUnavailableError('nobody answers', undefined);
    fail(unavailable);
    await expect(early).rejects.toBe(unavailable);
    await turns();
    expect(sent.at(-1)).toMatchObject({ operations: ['late'], until: 11_600 });
    sent.at(-1)!.answer();
    expect(await late).toEqual(['late done']);
  });
});
