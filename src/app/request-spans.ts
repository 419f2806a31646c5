import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { RequestTrace, RequestTracer } from '../broker/index.js';
import type { GroupId, ReplicaId, ShardId } from '../kernel/index.js';
import type { CommandStage } from '../replica/index.js';
import { errorByCode } from '../wire/index.js';
import { PACKAGE_VERSION } from './package-version.js';

const TRACED: ReadonlySet<string> = new Set(['OffsetCommit', 'JoinGroup', 'SyncGroup']);

/** What a request does when it has come so far. `durable` is a moment of the request, and begins nothing. */
const NEXT: Readonly<Record<Exclude<CommandStage, 'durable'>, string>> = {
  proposed: 'accept',
  chosen: 'apply',
  applied: 'answer',
};

/**
 * Spans of OpenTelemetry for commits, joins and syncs, from the tracer provider that this process has registered: one of the
 * request, with one inside it for each stage. A request that is not sampled costs its span and nothing more.
 */
export function requestSpans(replica: ReplicaId): RequestTracer {
  const tracer = trace.getTracer('quorate', PACKAGE_VERSION);
  return {
    begin: (api) => {
      if (!TRACED.has(api)) return undefined;
      const attributes = { 'quorate.replica': replica };
      const span = tracer.startSpan(api, { kind: SpanKind.SERVER, attributes }, ROOT_CONTEXT);
      if (span.isRecording()) return new RequestSpans(tracer, span);
      span.end();
      return undefined;
    },
  };
}

class RequestSpans implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #inside: Context;
  #stage: Span;
  #ended = false;

  constructor(tracer: Tracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    this.#inside = trace.setSpan(ROOT_CONTEXT, span);
    this.#stage = this.#begin('propose');
  }

  about(group: GroupId, shard: ShardId, generation?: number): void {
    this.#span.setAttribute('messaging.consumer.group.name', group);
    this.#span.setAttribute('quorate.shard', shard);
    // A commit by hand is of no generation.
    if (generation !== undefined && generation >= 0)
      this.#span.setAttribute('quorate.generation', generation);
  }

  reached(stage: CommandStage): void {
    if (this.#ended) return;
    if (stage === 'durable') this.#span.addEvent('durable');
    else this.#next(NEXT[stage]);
  }
  parked(): void {
    if (!this.#ended) this.#next('wait');
  }

  answered(error: number | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stage.end();
    if (error !== 0) {
      const name = error === undefined ? 'connection ended' : (errorByCode(error)?.name ?? String(error));
      this.#span.setAttribute('error.type', name);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: name });
    }
    this.#span.end();
  }

  #next(name: string): void {
    this.#stage.end();
    this.#stage = this.#begin(name);
  }
  #begin(name: string): Span {
    return this.#tracer.startSpan(name, undefined, this.#inside);
  }
}
