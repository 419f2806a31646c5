import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import type { Fields, FieldValue, VersionedRecord } from '../model.js';
import { headerOf, type HttpAnswer, type HttpRequest } from './http.js';
import { versionOf } from './if-match.js';

/** The strong entity tag of a version. */
export const etagOf = (version: number): string => `"${version}"`;

/**
 * Gives an answer the ETag of its version. A handler may return
 * - a record as it was read: the body is its value, with bigints as text and bytes in base64;
 * - anything else with a numeric `version`: the body is left alone.
 * A GET or HEAD whose If-None-Match names that version is answered 304.
 */
@Injectable()
export class ETagInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const http = context.switchToHttp();
    return next
      .handle()
      .pipe(
        map((result: unknown) =>
          tagged(result, http.getRequest<HttpRequest>(), http.getResponse<HttpAnswer>()),
        ),
      );
  }
}

function tagged(result: unknown, request: HttpRequest, answer: HttpAnswer): unknown {
  const { version } = (result ?? {}) as { readonly version?: unknown };
  if (typeof version !== 'number') return result;
  answer.header('ETag', etagOf(version));
  if (isFresh(request, version)) {
    answer.status(304);
    return undefined;
  }
  return isRecord(result) ? body(result.value) : result;
}

function isFresh(request: HttpRequest, version: number): boolean {
  const known =
    request.method === 'GET' || request.method === 'HEAD' ? headerOf(request, 'if-none-match') : undefined;
  return (
    known !== undefined &&
    (known.trim() === '*' || known.split(',').some((tag) => versionOf(tag) === version))
  );
}

function isRecord(result: unknown): result is VersionedRecord<Fields> {
  const record = result as Partial<VersionedRecord<Fields>>;
  return typeof record.id === 'string' && typeof record.value === 'object' && 'fence' in record;
}

const body = (value: Fields): Record<string, FieldValue> =>
  Object.fromEntries(Object.entries(value).map(([name, field]) => [name, inJson(field)]));

function inJson(field: FieldValue): FieldValue {
  if (typeof field === 'bigint') return field.toString();
  return field instanceof Uint8Array ? Buffer.from(field).toString('base64') : field;
}
