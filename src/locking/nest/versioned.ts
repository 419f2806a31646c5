import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ETagInterceptor } from './etag.js';
import { LockingExceptionFilter } from './exception-filter.js';
import { headerOf, type HttpRequest } from './http.js';
import { preconditionRequired } from './if-match.js';

const CHANGES = ['PUT', 'PATCH', 'DELETE'];

/** Refuses a change that does not say which version it is based on: 428. `If-None-Match: *` says that there is none yet. */
@Injectable()
class PreconditionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    if (!CHANGES.includes(request.method) || headerOf(request, 'if-match') !== undefined) return true;
    if (headerOf(request, 'if-none-match')?.trim() === '*') return true;
    throw preconditionRequired();
  }
}

/**
 * A handler, or all handlers of a controller, of a resource with versions: answers carry an ETag, changes need If-Match
 * (428), and what a store refuses is answered with its status.
 */
export const Versioned = (): MethodDecorator & ClassDecorator =>
  applyDecorators(
    UseGuards(PreconditionGuard),
    UseInterceptors(ETagInterceptor),
    UseFilters(LockingExceptionFilter),
  );
