import {
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  startTestCluster,
  type TestCluster,
  type TestClusterOptions,
} from '../../../src/app/testing/index.js';
import { parseAddress } from '../../harness/connection.js';
import { GroupMember } from '../../harness/group-member.js';
import { eventually } from '../../harness/waiting.js';

const unused = (): never => {
  throw new Error('nobody needs this');
};

/** A span as a provider keeps it. */
class Recorded implements Span {
  readonly attributes: Attributes = {};
  readonly events: string[] = [];
  readonly begunAt = performance.now();
  endedAt: number | undefined;
  status: SpanStatus | undefined;

  constructor(
    readonly name: string,
    readonly options: SpanOptions,
    readonly parent: Recorded | undefined,
    readonly number: number,
    readonly recording: boolean,
  ) {
    Object.assign(this.attributes, options.attributes);
  }
  isRecording(): boolean {
    return this.recording && this.endedAt === undefined;
  }
  end(): void {
    expect(this.endedAt).toBeUndefined();
    this.endedAt = performance.now();
  }
  addEvent(name: string): this {
    expect(this.endedAt).toBeUndefined();
    this.events.push(name);
    return this;
  }
  setAttribute(key: string, value: string | number): this {
    expect(this.endedAt).toBeUndefined();
    this.attributes[key] = value;
    return this;
  }
  setStatus(status: SpanStatus): this {
    this.status = status;
    return this;
  }
  spanContext(): SpanContext {
    return { traceId: '1'.repeat(32), spanId: String(this.number).padStart(16, '0'), traceFlags: 1 };
  }
  readonly setAttributes = unused;
  readonly addLink = unused;
  readonly addLinks = unused;
  readonly updateName = unused;
  readonly recordException = unused;
}

/** Keeps what it is asked for, as the SDK of OpenTelemetry does. */
class Provider implements TracerProvider, Tracer {
  readonly spans: Recorded[] = [];
  sampled = true;
  getTracer(): Tracer {
    return this;
  }
  startSpan(name: string, options: SpanOptions = {}, context?: Context): Span {
    const parent = context === undefined ? undefined : (trace.getSpan(context) as Recorded | undefined);
    const span = new Recorded(name, options, parent, this.spans.length + 1, this.sampled);
    this.spans.push(span);
    return span;
  }
  readonly startActiveSpan = unused;
  named(name: string): readonly Recorded[] {
    return this.spans.filter((span) => span.name === name);
  }
  stagesOf(parent: Recorded): readonly Recorded[] {
    return this.spans.filter((span) => span.parent === parent);
  }
}

describe('spans of OpenTelemetry', () => {
  let provider: Provider;
  let cluster: TestCluster;
  let member: GroupMember;
  beforeEach(() => {
    provider = new Provider();
    trace.setGlobalTracerProvider(provider);
  });
  afterEach(async () => {
    await member.abandon();
    await cluster.stop();
    trace.disable();
  });
  const start = async (settings: TestClusterOptions['settings'] = { tracing: true }): Promise<void> => {
    cluster = await startTestCluster({ replicas: 3, settings });
    await cluster.createTopic('jobs', 4);
    const bootstrap = cluster.brokers.map(parseAddress);
    const session = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 };
    member = new GroupMember({ bootstrap, group: 'billing', topic: 'jobs', partitions: 4, ...session });
    await member.start();
  };
  const ended = (span: Recorded): boolean => span.endedAt !== undefined;
  const allEnded = (): Promise<unknown> =>
    eventually('all spans have ended', 30_000, () => provider.spans.every(ended));

  it('show where a commit spends its time, from its request to its answer', async () => {
    await start();
    expect(await member.commit(0, 7)).toBe(0);
    // One that was tried again has several.
    const commit = provider.named('OffsetCommit').at(-1);
    await allEnded();
    expect(commit!.options.kind).toBe(SpanKind.SERVER);
    expect(commit!.parent).toBeUndefined();
    expect(commit!.attributes).toEqual({
      'messaging.consumer.group.name': 'billing',
      'quorate.shard': expect.any(Number),
      'quorate.generation': member.generation,
      'quorate.replica': expect.any(Number),
    });
    const stages = provider.stagesOf(commit!);
    expect(stages.map(({ name }) => name)).toEqual(['propose', 'accept', 'apply', 'answer']);
    // One after the other, and all of the time is in one of them.
    stages.forEach((stage, i) => {
      expect(stage.begunAt).toBeGreaterThanOrEqual(stages[i - 1]?.endedAt ?? commit!.begunAt);
      expect(stage.endedAt).toBeLessThanOrEqual(commit!.endedAt!);
    });
    expect(commit!.status).toBeUndefined();
  });

  it('say when a commit was durable at the leader, unless its answer had left by then', async () => {
    await start();
    // The two others may be quicker, now and then.
    await eventually('a commit is durable before its answer', 30_000, async () => {
      expect(await member.commit(0, 7)).toBe(0);
      return provider.named('OffsetCommit').some(({ events }) => events.includes('durable'));
    });
    expect(new Set(provider.spans.flatMap(({ events }) => events))).toEqual(new Set(['durable']));
  });

  it('show that a join waits for its group', async () => {
    await start();
    await allEnded();
    const joins = provider.named('JoinGroup');
    const waited = joins.find((join) => provider.stagesOf(join).some(({ name }) => name === 'wait'));
    expect(provider.stagesOf(waited!).map(({ name }) => name)).toEqual([
      ...['propose', 'accept', 'apply', 'answer', 'wait'],
    ]);
    expect(waited!.attributes).toMatchObject({ 'messaging.consumer.group.name': 'billing' });
    // Asked for the id that the first answer gives.
    const asked = joins.find(({ attributes }) => attributes['error.type'] === 'MEMBER_ID_REQUIRED');
    expect(asked!.status).toMatchObject({ code: SpanStatusCode.ERROR });
    expect(provider.named('SyncGroup').length).toBeGreaterThan(0);
  });

  it('end with the connection where nobody is left to answer', async () => {
    await start({ tracing: true, disconnectGraceMs: 0 });
    await member.abandon();
    const other = new GroupMember({
      bootstrap: cluster.brokers.map(parseAddress),
      ...{ group: 'billing', topic: 'jobs', partitions: 4 },
    });
    const joining = other.start().catch(() => undefined);
    // It waits for the first member, which does not come back, until the session of that one ends.
    await eventually('the other one waits', 30_000, () =>
      provider.named('wait').some((stage) => !ended(stage)),
    );
    other.client.close();
    await joining;
    await allEnded();
    expect(provider.spans.some(({ attributes }) => attributes['error.type'] === 'connection ended')).toBe(
      true,
    );
  });

  it('are not begun unless they are asked for', async () => {
    await start({});
    expect(await member.commit(0, 7)).toBe(0);
    expect(provider.spans).toEqual([]);
  });

  it('have no stages where they are not sampled', async () => {
    provider.sampled = false;
    await start();
    expect(await member.commit(0, 7)).toBe(0);
    expect(provider.spans.length).toBeGreaterThan(0);
    expect(provider.spans.every((span) => span.parent === undefined && ended(span))).toBe(true);
  });
});
