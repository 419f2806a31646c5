import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Res,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { outcomeFromDigits } from '../../guard/index.js';
import { outcomeError, RecordNotFoundError } from '../../locking/index.js';
import {
  ETagInterceptor,
  etagOf,
  IfMatch,
  LockingExceptionFilter,
  preconditionRequired,
} from '../../locking/nest/index.js';
import type { MachineView, RecordFence, RecordOperation, RecordOutcome } from '../../machine/index.js';
import type { Refusal } from '../../replica/index.js';
import type { AdminSource } from '../port.js';
import * as records from '../records.js';
import type { RecordJson, RecordOutcomesJson, RecordsJson, SealJson } from '../shapes.js';
import { type Answer, freshView, refused } from './fresh-view.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

type HeaderMap = Readonly<Record<string, string | undefined>>;

interface Written {
  readonly version: number;
}

/**
 * Versioned records over HTTP: ETag and If-Match (RFC 9110), problems as RFC 9457 has them, as `quorate/locking/nest`
 * does both for applications.
 */
@Controller()
@UseFilters(ProblemFilter, LockingExceptionFilter)
export class RecordsController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Get('records/:space')
  async list(
    @Param('space') space: string,
    @Query() query: HeaderMap,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<RecordsJson> {
    const limit = query['limit'] === undefined ? 100 : Number(query['limit']);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
      throw new Problem(400, 'Bad request', 'limit is a whole number from 1 to 1000.');
    const path = `records/${encodeURIComponent(space)}?${search(query)}`;
    const view = await this.#fresh(space, path, query['redirect'], answer);
    const found = view.registers.list(space, query['prefix'] ?? '', query['after'] ?? '', limit);
    const next = found.length < limit ? null : found.at(-1)!.id;
    return { space, records: found.map((record) => records.recordJson(space, record)), next };
  }

  @Get('records/:space/:id')
  async get(
    @Param('space') space: string,
    @Param('id') id: string,
    @Headers() headers: HeaderMap,
    @Query('redirect') redirect: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<RecordJson | undefined> {
    const view = await this.#fresh(space, recordPath(space, id), redirect, answer);
    const record = view.registers.get(space, id);
    if (record === undefined) throw new RecordNotFoundError(space, id);
    const etag = etagOf(record.version);
    answer.header('etag', etag);
    if (headers['if-none-match'] === etag) {
      answer.status(304);
      return undefined;
    }
    return records.recordJson(space, record);
  }

  /** Creates (`If-None-Match: *`) or replaces (`If-Match: "<version>"`). */
  @Put('records/:space/:id')
  @UseInterceptors(ETagInterceptor)
  async put(
    @Param('space') space: string,
    @Param('id') id: string,
    @Headers() headers: HeaderMap,
    @IfMatch({ optional: true }) version: number | undefined,
    @Body() body: unknown,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<Written> {
    const operation = checked((): RecordOperation => {
      const fence = fenceOf(headers);
      const fields = records.bodyFields(body);
      if (headers['if-none-match'] === '*') return { kind: 'insert', id, fields, fence };
      if (version === undefined) throw preconditionRequired();
      return { kind: 'update', id, version, fields, replace: true, fence };
    });
    if (operation.kind === 'insert') answer.status(201);
    return this.#one(space, operation);
  }

  /** Changes the fields given, and leaves the others. */
  @Patch('records/:space/:id')
  @UseInterceptors(ETagInterceptor)
  async patch(
    @Param('space') space: string,
    @Param('id') id: string,
    @Headers() headers: HeaderMap,
    @IfMatch() version: number,
    @Body() body: unknown,
  ): Promise<Written> {
    const operation = checked((): RecordOperation => {
      const fields = records.bodyFields(body);
      return { kind: 'update', id, version, fields, replace: false, fence: fenceOf(headers) };
    });
    return this.#one(space, operation);
  }

  @Delete('records/:space/:id')
  async delete(
    @Param('space') space: string,
    @Param('id') id: string,
    @Headers() headers: HeaderMap,
    @IfMatch() version: number,
  ): Promise<Written> {
    return this.#one(
      space,
      checked(() => ({ kind: 'delete', id, version, fence: fenceOf(headers) })),
    );
  }

  /** A transaction over records of one space: `{"mode": "all-or-nothing" | "each", "operations": [...]}`. */
  @Post('records/:space')
  @HttpCode(200)
  async write(@Param('space') space: string, @Body() body: unknown): Promise<RecordOutcomesJson> {
    const { mode = 'all-or-nothing', operations } = (body ?? {}) as { mode?: unknown; operations?: unknown };
    if (mode !== 'all-or-nothing' && mode !== 'each')
      throw new Problem(400, 'Bad request', 'mode is "all-or-nothing" or "each".');
    const wanted = checked(() => records.operations(operations));
    return { outcomes: await this.#write(space, wanted, mode === 'all-or-nothing') };
  }

  @Get('seals/:space/:scope')
  async sealed(
    @Param('space') space: string,
    @Param('scope') scope: string,
    @Query('redirect') redirect: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<SealJson> {
    const path = `seals/${encodeURIComponent(space)}/${encodeURIComponent(scope)}`;
    const view = await this.#fresh(space, path, redirect, answer);
    const token = view.registers.fenceOf(space, scope);
    return { scope, token: token === null ? null : String(token) };
  }

  /** Raises the fence of a whole scope: `{"token": "17", "owner": "..."}`. */
  @Put('seals/:space/:scope')
  async seal(
    @Param('space') space: string,
    @Param('scope') scope: string,
    @Body() body: unknown,
  ): Promise<{ readonly previous: string | null }> {
    const fence = checked(() => records.fence({ ...(body as object), scope }))!;
    const command = checked(() => records.withinLimits({ kind: 'record.seal', space, fence }));
    const reply = await this.#source.changeRecords(command);
    if (reply.kind !== 'seal') throw refused(reply as Refusal);
    if (reply.outcome.kind === 'stale-epoch') throw refusal(space, '', reply.outcome);
    return { previous: reply.outcome.previous };
  }

  async #one(space: string, operation: RecordOperation): Promise<Written> {
    const [outcome] = await this.#write(space, [operation], true);
    if (outcome?.kind !== 'written') throw refusal(space, operation.id, outcome!);
    return { version: outcome.version };
  }

  async #write(
    space: string,
    operations: readonly RecordOperation[],
    atomic: boolean,
  ): Promise<readonly RecordOutcome[]> {
    const command = checked(() => records.withinLimits({ kind: 'record.write', space, operations, atomic }));
    const reply = await this.#source.changeRecords(command);
    if (reply.kind !== 'records') throw refused(reply as Refusal);
    return reply.outcomes;
  }

  #fresh(space: string, path: string, redirect: string | undefined, answer: Answer): Promise<MachineView> {
    return freshView(this.#source, this.#source.shardOfSpace(space), path, redirect, answer);
  }
}

const recordPath = (space: string, id: string): string =>
  `records/${encodeURIComponent(space)}/${encodeURIComponent(id)}`;
function search(query: HeaderMap): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) parameters.append(key, String(value));
  return parameters.toString();
}

function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof records.BadRecordRequest) throw new Problem(400, 'Bad request', error.message);
    throw error;
  }
}

/** `Fence-Scope` (percent-encoded), `Fence-Token` and, if known, `Fence-Owner`. */
function fenceOf(headers: HeaderMap): RecordFence | null {
  const scope = headers['fence-scope'];
  const token = headers['fence-token'];
  if (scope === undefined && token === undefined) return null;
  const owner = headers['fence-owner'] ?? null;
  return records.fence({ scope: decoded(scope ?? ''), token, owner });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new records.BadRecordRequest('Fence-Scope is percent-encoded.');
  }
}

/** The space takes the place of the resource in the library's errors. */
const refusal = (space: string, id: string, outcome: RecordOutcome): Error =>
  outcomeError(space, id, outcomeFromDigits(outcome)) ?? new Error(`an outcome of kind ${outcome.kind}`);
