import {
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { headerOf, type HttpRequest } from './http.js';
import { LockingHttpException } from './problem.js';

export interface IfMatchOptions {
  /** Without the header the parameter is undefined, instead of an answer 428. */
  readonly optional?: boolean;
}

/**
 * The version in an If-Match header. Missing: 428. Not one ETag: 400. An ETag that is no version of ours cannot be the
 * present one: 412.
 */
@Injectable()
export class IfMatchPipe implements PipeTransform<string | undefined, number | undefined> {
  readonly #optional: boolean;
  constructor({ optional = false }: IfMatchOptions = {}) {
    this.#optional = optional;
  }

  transform(header: string | undefined): number | undefined {
    if (header === undefined && this.#optional) return undefined;
    // `*` asks for any version; a write has to name the one that it is based on.
    if (header === undefined || header.trim() === '*') throw preconditionRequired();
    const tags = header.match(ENTITY_TAG) ?? [];
    if (tags.length !== 1) throw malformed(header);
    const version = versionOf(tags[0]);
    if (version === undefined) throw unknownTag(tags[0]);
    return version;
  }
}

/** The version that a change is based on, through the IfMatchPipe: `update(@Param('id') id: string, @IfMatch() version: number)`. */
export const IfMatch = (options: IfMatchOptions = {}): ParameterDecorator =>
  IF_MATCH(new IfMatchPipe(options));

const IF_MATCH: (pipe: PipeTransform | Type<PipeTransform>) => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    headerOf(context.switchToHttp().getRequest<HttpRequest>(), 'if-match'),
);

const ENTITY_TAG = /(?:W\/)?"[^"]*"/g;

/**
 * The version in an entity tag. A weak one counts: proxies that compress weaken our tags on the way out, and the version
 * says the same in both.
 */
export function versionOf(tag: string): number | undefined {
  const digits = /^(?:W\/)?"([1-9]\d{0,15})"$/.exec(tag.trim())?.[1];
  const version = Number(digits);
  return Number.isSafeInteger(version) ? version : undefined;
}

/** The answer to a change that does not name the version it is based on: 428. */
export const preconditionRequired = (): LockingHttpException =>
  new LockingHttpException({
    type: 'about:blank',
    title: 'Precondition required',
    status: 428,
    detail:
      'Send If-Match with the ETag of the version that the change is based on, or If-None-Match: * with a PUT that creates.',
    code: 'precondition-required',
  });

const malformed = (header: string): LockingHttpException =>
  new LockingHttpException({
    type: 'about:blank',
    title: 'Bad request',
    status: 400,
    detail: `If-Match: ${header} is not one ETag. Send the one that you were given, with its quotes.`,
    code: 'precondition-malformed',
  });

const unknownTag = (tag: string): LockingHttpException =>
  new LockingHttpException({
    type: 'about:blank',
    title: 'Precondition failed',
    status: 412,
    detail: `${tag} is not the present version.`,
    code: 'version-conflict',
  });
