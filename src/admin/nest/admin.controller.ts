import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpException,
  Inject,
  Param,
  Post,
  Query,
  Res,
  UseFilters,
} from '@nestjs/common';
import { groupId, type ShardId, shardId } from '../../kernel/index.js';
import { type Answer, freshView } from './fresh-view.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';
import { metricsText } from '../metrics.js';
import type { AdminSource, TopicOutcome } from '../port.js';
import * as present from '../present.js';
import type {
  FencesJson,
  GroupDetailJson,
  GroupsJson,
  HealthJson,
  OffsetsJson,
  RebalancesJson,
  StatusJson,
  TopicJson,
  TopicsJson,
} from '../shapes.js';

function found<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof present.NotFound) throw new Problem(404, 'Not found', error.message);
    throw error;
  }
}

@Controller()
@UseFilters(ProblemFilter)
export class AdminController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  /** The process runs. For a liveness probe: a replica without a quorum is alive, and a restart would not help. */
  @Get('health/live')
  live(): HealthJson {
    return { status: 'ok', reasons: [] };
  }

  /** Hears a quorum and has applied. For a readiness probe. */
  @Get('health/ready')
  ready(): HealthJson {
    const { ready, reasons } = this.#source.readiness();
    if (ready) return { status: 'ok', reasons: [] };
    throw new HttpException({ status: 'unavailable', reasons } satisfies HealthJson, 503);
  }

  @Get('status')
  status(): StatusJson {
    return present.status(this.#source, process.pid);
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  metrics(): string {
    return metricsText(this.#source);
  }

  @Get('groups')
  groups(@Query('stale') stale?: string): GroupsJson {
    this.#known(stale);
    return present.groups(this.#source);
  }
  @Get('groups/:id')
  group(@Param('id') id: string, @Query('stale') stale?: string): GroupDetailJson {
    this.#known(stale, this.#source.shardOf(groupId(id)));
    return found(() => present.groupDetail(this.#source, id));
  }
  @Get('groups/:id/offsets')
  offsets(@Param('id') id: string, @Query('stale') stale?: string): OffsetsJson {
    this.#known(stale, this.#source.shardOf(groupId(id)));
    return found(() => present.offsets(this.#source, id));
  }
  @Get('groups/:id/rebalances')
  rebalances(@Param('id') id: string, @Query('stale') stale?: string): RebalancesJson {
    this.#known(stale, this.#source.shardOf(groupId(id)));
    return found(() => present.rebalances(this.#source, id));
  }
  @Get('groups/:id/fences')
  async fences(
    @Param('id') id: string,
    @Query('fresh') fresh: string | undefined,
    @Query('stale') stale: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<FencesJson> {
    const shard = this.#source.shardOf(groupId(id));
    // For those who act on it: as of now, not as of what this replica has applied.
    if (fresh === undefined) this.#known(stale, shard);
    else {
      await freshView(this.#source, shard, `groups/${encodeURIComponent(id)}/fences?fresh`, answer);
    }
    return found(() => present.fences(this.#source, id));
  }

  @Get('topics')
  topics(@Query('stale') stale?: string): TopicsJson {
    this.#known(stale, shardId(0));
    return present.topics(this.#source);
  }

  @Post('topics')
  async createTopic(@Body() body: unknown): Promise<TopicJson> {
    const { name, partitions = this.#source.defaultPartitions } = (body ?? {}) as {
      name?: unknown;
      partitions?: unknown;
    };
    if (typeof name !== 'string')
      throw new Problem(400, 'Bad request', 'Send JSON such as {"name": "tenants", "partitions": 8}.');
    if (typeof partitions !== 'number' || !Number.isSafeInteger(partitions))
      throw new Problem(
        400,
        'Bad request',
        `partitions is a whole number, not ${JSON.stringify(partitions)}.`,
      );
    return topicOrProblem(await this.#source.createTopic(name, partitions));
  }

  @Delete('topics/:name')
  @HttpCode(200)
  async deleteTopic(@Param('name') name: string): Promise<TopicJson> {
    return topicOrProblem(await this.#source.deleteTopic(name));
  }

  /** Without a leader that is heard, what was applied here says nothing about what there is: "none" would be a guess. */
  #known(stale: string | undefined, ...shards: ShardId[]): void {
    if (stale !== undefined) return;
    const unknown = present.unknownShards(this.#source, shards.length === 0 ? undefined : shards);
    if (unknown.length === 0) return;
    throw new Problem(
      503,
      'Not known',
      `Replica ${this.#source.self} hears no leader of shard ${unknown.join(', ')}. Try again in a second, ask another ` +
        'replica, or add ?stale to see what was applied here.',
    );
  }
}

function topicOrProblem(outcome: TopicOutcome): TopicJson {
  switch (outcome.kind) {
    case 'topic':
      if (outcome.error === 'NONE') return outcome.topic;
      throw new Problem(TOPIC_STATUS[outcome.error] ?? 400, outcome.error, outcome.message);
    case 'not-leader':
      throw new Problem(
        503,
        'No leader',
        'No replica leads the shard of the topics right now. Try again in a second.',
      );
    case 'overloaded':
      throw new Problem(503, 'Overloaded', 'Too much is waiting already. Try again in a second.');
    case 'outcome-unknown':
      throw new Problem(
        504,
        'Outcome unknown',
        'The answer was lost: it may or may not have happened. GET /topics tells.',
      );
  }
}

const TOPIC_STATUS: Readonly<Record<string, number>> = {
  TOPIC_ALREADY_EXISTS: 409,
  UNKNOWN_TOPIC_OR_PARTITION: 404,
  UNKNOWN_TOPIC_ID: 404,
};
