import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Query, UseFilters } from '@nestjs/common';
import { shardId } from '../../kernel/index.js';
import { levelOf, type ReplicasCommand, type ReplicasReply } from '../../machine/index.js';
import type { AdminSource } from '../port.js';
import * as present from '../present-replicas.js';
import { changeOf } from '../replica-change.js';
import type { ReplicaPlanJson, ReplicasJson } from '../shapes.js';
import { refused } from './fresh-view.js';
import { caughtUp } from './known.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

const FACTS = shardId(0);

/** Which replicas the cluster has, and the plan to change them. */
@Controller('replicas')
@UseFilters(ProblemFilter)
export class ReplicasController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Get()
  async replicas(@Query('stale') stale?: string): Promise<ReplicasJson> {
    await caughtUp(this.#source, stale, FACTS);
    return present.replicas(this.#source);
  }

  /** `{"replace": [3], "execute": true}`: a plan; without `execute` it is only shown. */
  @Post('plan')
  @HttpCode(200)
  async plan(@Body() body: unknown): Promise<ReplicaPlanJson> {
    const wanted = changeOf(body);
    if (typeof wanted === 'string') throw new Problem(400, 'Bad request', wanted);
    await caughtUp(this.#source, undefined, FACTS);
    const planned = this.#source.planReplicas(wanted.change);
    if ('problem' in planned) throw new Problem(409, 'Not possible', `${planned.problem}.`);
    const shown = present.plan(this.#source, planned);
    if (!wanted.execute) return shown;
    const { number } = await this.#change(planned.command);
    return { ...shown, number, executed: true };
  }

  /** Calls the plan off, while that is still possible. */
  @Delete('plan')
  @HttpCode(200)
  async cancel(): Promise<ReplicasJson> {
    await caughtUp(this.#source, undefined, FACTS);
    const { plan } = this.#source.replicas().view;
    if (plan === null) throw new Problem(404, 'Not found', 'No plan for the replicas is under way.');
    await this.#change({ kind: 'replicas.cancel', number: plan.number });
    return this.replicas();
  }

  async #change(command: ReplicasCommand): Promise<Extract<ReplicasReply, { error: 'NONE' }>> {
    const { featureLevelUsed } = this.#source.status();
    if (featureLevelUsed < levelOf(command))
      throw new Problem(
        409,
        'Not possible',
        `The cluster uses feature level ${featureLevelUsed}, and this needs level ${levelOf(command)}. Upgrade all replicas, then run: quorate upgrade --execute.`,
      );
    const outcome = await this.#source.change(FACTS, command);
    if (outcome.kind !== 'ok') throw refused(outcome);
    const { reply } = outcome;
    if (reply.error !== 'NONE') throw new Problem(409, reply.error, `${reply.message}.`);
    return reply;
  }
}
