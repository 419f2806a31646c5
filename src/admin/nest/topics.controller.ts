import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  UseFilters,
} from '@nestjs/common';
import { shardId, topicName } from '../../kernel/index.js';
import type { PartitionEnd, TopicReply } from '../../machine/index.js';
import { offsetOf } from '../offset-plans.js';
import type { AdminSource, TopicOutcome } from '../port.js';
import * as present from '../present.js';
import type { EndsJson, TopicJson, TopicsJson } from '../shapes.js';
import { refused } from './fresh-view.js';
import { caughtUp, found } from './known.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

const FACTS = shardId(0);

/** Topics, and how far their partitions go. */
@Controller('topics')
@UseFilters(ProblemFilter)
export class TopicsController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Get()
  async topics(@Query('stale') stale?: string): Promise<TopicsJson> {
    await caughtUp(this.#source, stale, FACTS);
    return present.topics(this.#source);
  }

  @Post()
  async createTopic(@Body() body: unknown): Promise<TopicJson> {
    const { name, partitions = this.#source.defaultPartitions } = (body ?? {}) as {
      name?: unknown;
      partitions?: unknown;
    };
    if (typeof name !== 'string')
      throw new Problem(400, 'Bad request', 'Send JSON such as {"name": "tenants", "partitions": 8}.');
    return topicOrProblem(await this.#source.createTopic(name, wholeNumber(partitions)));
  }

  /** Grows it: `{"partitions": 12}`. */
  @Patch(':name')
  async growTopic(@Param('name') name: string, @Body() body: unknown): Promise<TopicJson> {
    const { partitions } = (body ?? {}) as { partitions?: unknown };
    return topicOrProblem(await this.#source.growTopic(name, wholeNumber(partitions)));
  }

  @Delete(':name')
  @HttpCode(200)
  async deleteTopic(@Param('name') name: string): Promise<TopicJson> {
    return topicOrProblem(await this.#source.deleteTopic(name));
  }

  @Get(':name/ends')
  async ends(@Param('name') name: string, @Query('stale') stale?: string): Promise<EndsJson> {
    await caughtUp(this.#source, stale);
    return found(() => present.ends(this.#source, name));
  }

  /** Says how far the source is: `{"ends": {"0": "1000"}}`. With `"back": true` an end also goes back. */
  @Post(':name/ends')
  @HttpCode(200)
  async setEnds(@Param('name') name: string, @Body() body: unknown): Promise<EndsJson> {
    const { ends, back = false } = (body ?? {}) as { ends?: unknown; back?: unknown };
    const wanted = endsOf(ends);
    if (wanted === undefined || typeof back !== 'boolean')
      throw new Problem(
        400,
        'Bad request',
        'Send JSON such as {"ends": {"0": "1000", "1": "1200"}}; add "back": true where an end is to go back.',
      );
    const command = { kind: 'topic.setEnds', name: topicName(name), ends: wanted, back } as const;
    const outcome = await this.#source.change(FACTS, command);
    topicOrProblem(outcome.kind === 'ok' ? (outcome.reply satisfies TopicReply) : outcome);
    return this.ends(name);
  }
}

/** Undefined: it cannot be read. */
function endsOf(ends: unknown): readonly PartitionEnd[] | undefined {
  if (typeof ends !== 'object' || ends === null || Array.isArray(ends)) return undefined;
  const wanted: PartitionEnd[] = [];
  for (const [partition, value] of Object.entries(ends)) {
    const offset = offsetOf(value);
    if (offset === undefined || !/^\d{1,9}$/.test(partition)) return undefined;
    wanted.push({ partition: Number(partition), offset });
  }
  return wanted.length === 0 ? undefined : wanted;
}

function wholeNumber(partitions: unknown): number {
  if (typeof partitions === 'number' && Number.isSafeInteger(partitions)) return partitions;
  throw new Problem(400, 'Bad request', `partitions is a whole number, not ${JSON.stringify(partitions)}.`);
}

function topicOrProblem(outcome: TopicOutcome): TopicJson {
  if (outcome.kind !== 'topic') throw refused(outcome);
  if (outcome.error === 'NONE') return outcome.topic;
  throw new Problem(TOPIC_STATUS[outcome.error] ?? 400, outcome.error, outcome.message);
}

const TOPIC_STATUS: Readonly<Record<string, number>> = {
  TOPIC_ALREADY_EXISTS: 409,
  UNKNOWN_TOPIC_OR_PARTITION: 404,
  UNKNOWN_TOPIC_ID: 404,
};
