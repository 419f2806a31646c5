import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, type Observable, throwError } from 'rxjs';
import { LockingError } from '../errors.js';
import { hasBegun, type HttpAnswer, type HttpRequest, preconditionsOf } from './http.js';
import { LockingHttpException, problemOf } from './problem.js';

/** Answers a LockingError as application/problem+json: 404, 409, 412, 428, 503 or 504. Outside HTTP it lets the error pass. */
@Catch(LockingError, LockingHttpException)
export class LockingExceptionFilter implements ExceptionFilter<LockingError | LockingHttpException> {
  readonly #log = new Logger(LockingExceptionFilter.name);

  catch(error: LockingError | LockingHttpException, host: ArgumentsHost): Observable<never> | void {
    if (host.getType() !== 'http') return passOn(error, host);
    const http = host.switchToHttp();
    const answer = http.getResponse<HttpAnswer>();
    if (hasBegun(answer)) {
      // Thrown on, or answered a second time, it would end the process under Fastify. Nest's own filter does the same.
      this.#log.error(error);
      (answer.raw ?? answer).end?.();
      return;
    }
    const problem =
      error instanceof LockingHttpException
        ? error.problem
        : problemOf(error, preconditionsOf(http.getRequest<HttpRequest>()));
    answer.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

/** Each kind of handler has a way of its own to fail; what a filter returns is taken for an answer by the others. */
function passOn(error: Error, host: ArgumentsHost): Observable<never> | void {
  switch (host.getType()) {
    case 'rpc':
      return throwError(() => error);
    case 'ws':
      // As Nest's own filter tells a client. Thrown from here no handler would catch it, and it would end the process.
      host.switchToWs().getClient<WsClient>().emit('exception', { status: 'error', message: error.message });
      return;
    default:
      throw error;
  }
}

interface WsClient {
  emit(event: 'exception', problem: { readonly status: 'error'; readonly message: string }): void;
}

/** Turns a LockingError into its HttpException, for applications with an exception filter of their own. */
@Injectable()
export class LockingErrorsInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<HttpRequest>();
    return next.handle().pipe(
      catchError((error: unknown) => {
        if (!(error instanceof LockingError)) throw error;
        throw new LockingHttpException(problemOf(error, preconditionsOf(request)), error);
      }),
    );
  }
}
