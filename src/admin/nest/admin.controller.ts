import { Controller, Get, Header, HttpException, Inject, Query, Res, UseFilters } from '@nestjs/common';
import type { GroupId } from '../../kernel/index.js';
import { ReplicaMetrics } from '../metrics/registry.js';
import { PAGE_MAX, pageQuery, type PageQuery } from '../pages.js';
import type { AdminSource } from '../port.js';
import * as present from '../present.js';
import type {
  FencesJson,
  GroupDetailJson,
  GroupsJson,
  HealthJson,
  OffsetsJson,
  RebalancesJson,
  StatusJson,
} from '../shapes.js';
import { type Answer, freshView, portOf } from './fresh-view.js';
import { GroupName } from './group-name.js';
import { caughtUp, found } from './known.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

function asked(limit: string | undefined, after: string | undefined): PageQuery {
  const query = pageQuery(limit, after);
  if (query !== undefined) return query;
  throw new Problem(400, 'Bad request', `limit is a whole number from 1 to ${PAGE_MAX}.`);
}

/** What there is. What changes it: GroupChangesController, TopicsController. */
@Controller()
@UseFilters(ProblemFilter)
export class AdminController {
  readonly #source: AdminSource;
  /** Made by the first scrape. */
  #metrics: ReplicaMetrics | undefined;

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
  status(@Res({ passthrough: true }) answer: Answer): StatusJson {
    return present.status(this.#source, process.pid, portOf(answer));
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  metrics(): Promise<string> {
    return (this.#metrics ??= new ReplicaMetrics(this.#source)).text();
  }

  @Get('groups')
  async groups(
    @Query('stale') stale?: string,
    @Query('limit') limit?: string,
    @Query('after') after?: string,
  ): Promise<GroupsJson> {
    const query = asked(limit, after);
    await caughtUp(this.#source, stale);
    return present.groups(this.#source, query);
  }
  @Get(['groups/:id', 'group'])
  async group(@GroupName() id: GroupId, @Query('stale') stale?: string): Promise<GroupDetailJson> {
    await caughtUp(this.#source, stale, this.#source.shardOf(id));
    return found(() => present.groupDetail(this.#source, id));
  }
  @Get(['groups/:id/offsets', 'group/offsets'])
  async offsets(@GroupName() id: GroupId, @Query('stale') stale?: string): Promise<OffsetsJson> {
    await caughtUp(this.#source, stale);
    return found(() => present.offsets(this.#source, id));
  }
  @Get(['groups/:id/rebalances', 'group/rebalances'])
  async rebalances(@GroupName() id: GroupId, @Query('stale') stale?: string): Promise<RebalancesJson> {
    await caughtUp(this.#source, stale, this.#source.shardOf(id));
    return found(() => present.rebalances(this.#source, id));
  }
  @Get(['groups/:id/fences', 'group/fences'])
  async fences(
    @GroupName() id: GroupId,
    @Query('fresh') fresh: string | undefined,
    @Query('stale') stale: string | undefined,
    @Query('limit') limit: string | undefined,
    @Query('after') after: string | undefined,
    @Query('owner') owner: string | undefined,
    @Query('redirect') redirect: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<FencesJson> {
    const query = asked(limit, after);
    const shard = this.#source.shardOf(id);
    // For those who act on it: at the leader, which answers without asking another.
    if (fresh === undefined) await caughtUp(this.#source, stale, shard);
    else {
      const rest = new URLSearchParams({ id, fresh: '' });
      for (const [name, value] of Object.entries({ limit, after, owner }))
        if (value !== undefined) rest.set(name, value);
      await freshView(this.#source, shard, `group/fences?${rest.toString()}`, redirect, answer);
    }
    return found(() => present.fences(this.#source, id, query, owner));
  }
}
