import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Res, StreamableFile, UseFilters } from '@nestjs/common';
import { shardId } from '../../kernel/index.js';
import { framed } from '../backup-stream.js';
import type { AdminSource } from '../port.js';
import { type Answer, refused } from './fresh-view.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

/** A snapshot that is being read keeps what changes meanwhile: so many at once. */
const READERS_MAX = 2;

/** The state of a shard, for `quorate backup`. */
@Controller('backup')
@UseFilters(ProblemFilter)
export class BackupController {
  readonly #source: AdminSource;
  #readers = 0;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Get(':shard')
  async shard(
    @Param('shard') name: string,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<StreamableFile> {
    const shard = Number(name);
    if (!/^\d+$/.test(name) || shard >= this.#source.shards)
      throw new Problem(404, 'Not found', `Shards are 0 to ${this.#source.shards - 1}.`);
    if (this.#readers >= READERS_MAX)
      throw new Problem(503, 'Overloaded', `${READERS_MAX} backups are being read already. Try again later.`);
    const outcome = await this.#source.snapshot(shardId(shard));
    if (outcome.kind !== 'ok') throw refused(outcome);
    answer.header('quorate-cluster', this.#source.clusterId);
    answer.header('quorate-shards', String(this.#source.shards));
    answer.header('quorate-slot', String(outcome.through));
    this.#readers++;
    const stream = Readable.from(framed(outcome.chunks), { objectMode: false });
    stream.once('close', () => {
      this.#readers--;
      // Also when nothing was read of it.
      outcome.chunks.return?.();
    });
    return new StreamableFile(stream, { type: 'application/octet-stream' });
  }
}
