import { beforeEach, describe, expect, it } from '@jest/globals';
import { monotonicMs, replicaId, shardId, topicId, topicName } from '../../../src/kernel/index.js';
import type { Reply } from '../../../src/machine/index.js';
import type { ForwardableCommand, Outcome } from '../../../src/replica/index.js';
import { Forwarding } from '../../../src/replica/forwarding.js';
import { decodeFrame, type PeerFrame } from '../../../src/replica/frames.js';

const [TWO, THREE] = [replicaId(2), replicaId(3)];
const SHARD = shardId(0);

/** A replica that does not lead, its link to replica 2, and what its clients were told. */
class Asking {
  leader = TWO;
  readonly sent: { to: number; frame: Extract<PeerFrame, { kind: 'forward' }> }[] = [];
  readonly told: Outcome<Reply>[] = [];
  readonly forwarding: Forwarding;

  constructor(run: number) {
    this.forwarding = new Forwarding(
      {
        now: () => monotonicMs(0),
        leaderOf: () => this.leader,
        serves: () => false,
        submit: () => undefined,
        send: (to, bytes) => {
          const frame = decodeFrame(Buffer.from(bytes));
          if (frame.kind === 'forward') this.sent.push({ to, frame });
          return true;
        },
      },
      run,
    );
  }

  ask(command: ForwardableCommand): number {
    this.forwarding.submit(SHARD, command, (outcome) => this.told.push(outcome));
    return this.sent.at(-1)!.frame.request;
  }
  answer(from: number, request: number, outcome: object): void {
    this.forwarding.answered(replicaId(from), {
      kind: 'forwarded',
      request,
      outcome: JSON.stringify(outcome),
    });
  }
}

const create = (partitions: number): ForwardableCommand => ({
  kind: 'topic.create',
  name: topicName('t'),
  newId: topicId('id'),
  partitions,
  partitionsMax: 100,
});
const YES = { kind: 'ok', reply: { kind: 'noticed', through: 1 } };

describe('Forwarding where this replica leads', () => {
  /** Counts proposals, and answers none of them. */
  const leading = (): { proposals: number; told: Outcome<Reply>[]; forwarding: Forwarding; now: number } => {
    const state = { proposals: 0, told: [] as Outcome<Reply>[], now: 0 };
    const forwarding = new Forwarding(
      {
        now: () => monotonicMs(state.now),
        leaderOf: () => TWO,
        serves: () => true,
        submit: () => void state.proposals++,
        send: () => true,
      },
      7,
    );
    forwarding.submit(SHARD, create(1), (outcome) => state.told.push(outcome));
    return Object.assign(state, { forwarding });
  };

  it('proposes a command once, however long it takes', () => {
    const state = leading();
    for (let ticks = 0; ticks < 3; ticks++) state.forwarding.tick();
    state.forwarding.retry();
    expect(state.proposals).toBe(1);
  });

  it('never says that nothing happened to a command that was proposed', () => {
    const state = leading();
    state.now = 60_000;
    state.forwarding.tick();
    expect(state.told).toEqual([{ kind: 'outcome-unknown' }]);
  });
});

describe('Forwarding', () => {
  let asking: Asking;
  beforeEach(() => {
    asking = new Asking(7);
  });

  it('brings the answer of the replica that was asked', () => {
    asking.answer(2, asking.ask(create(1)), YES);
    expect(asking.told).toEqual([YES]);
  });

  it('takes no answer to an earlier process of this replica for an answer to a new request', () => {
    const former = new Asking(6);
    const late = former.ask(create(1));
    const request = asking.ask(create(2));
    expect(request).not.toBe(late);
    asking.answer(2, late, YES);
    expect(asking.told).toEqual([]);
  });

  it('takes no answer from a replica that it did not ask', () => {
    const request = asking.ask(create(1));
    asking.answer(THREE, request, YES);
    expect(asking.told).toEqual([]);
    asking.answer(TWO, request, YES);
    expect(asking.told).toEqual([YES]);
  });

  it('throws at the caller for a command that has no bytes, keeps nothing of it, and never meets it again', () => {
    expect(() => asking.ask(create(1.25))).toThrow('1.25');
    expect(() => asking.forwarding.retry()).not.toThrow();
    expect(() => asking.forwarding.tick()).not.toThrow();
    expect(asking.sent).toEqual([]);
  });

  it('tells that the outcome is unknown when the answer cannot be read', () => {
    const request = asking.ask(create(1));
    asking.forwarding.answered(TWO, { kind: 'forwarded', request, outcome: '{' });
    expect(asking.told).toEqual([{ kind: 'outcome-unknown' }]);
  });
});
