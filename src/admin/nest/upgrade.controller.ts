import { Body, Controller, Get, HttpCode, Inject, Post, UseFilters } from '@nestjs/common';
import { shardId } from '../../kernel/index.js';
import type { AdminSource } from '../port.js';
import type { UpgradeJson } from '../shapes.js';
import { upgrade, upgradeOf } from '../upgrade.js';
import { refused } from './fresh-view.js';
import { caughtUp } from './known.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

const FACTS = shardId(0);

/** The feature level that the cluster uses. */
@Controller('upgrade')
@UseFilters(ProblemFilter)
export class UpgradeController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Get()
  async level(): Promise<UpgradeJson> {
    await caughtUp(this.#source, undefined, FACTS);
    return { ...upgrade(this.#source), executed: false };
  }

  /** `{"execute": true}`: the cluster uses what is new from now on, without a way back; without `execute` it is only shown. */
  @Post()
  @HttpCode(200)
  async raise(@Body() body: unknown): Promise<UpgradeJson> {
    const wanted = upgradeOf(body);
    if (typeof wanted === 'string') throw new Problem(400, 'Bad request', wanted);
    await caughtUp(this.#source, undefined, FACTS);
    const shown = upgrade(this.#source, wanted.level);
    if (!wanted.execute) return { ...shown, executed: false };
    if (shown.problems.length > 0) throw new Problem(409, 'Not possible', `${shown.problems.join('; ')}.`);
    if (shown.target === shown.used) return { ...shown, executed: true };
    const outcome = await this.#source.change(FACTS, { kind: 'level.raise', level: shown.target });
    if (outcome.kind !== 'ok') throw refused(outcome);
    return { ...shown, used: outcome.reply.level, executed: true };
  }
}
