import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, type Observable, throwError } from 'rxjs';
import { LockingError } from '../errors.js';
import { type HttpAnswer, type HttpRequest, preconditionsOf } from './http.js';
import { LockingHttpException, problemOf } from './problem.js';

/** Answers a LockingError as application/problem+json: 404, 409, 412, 428 or 504. Outside HTTP it lets the error pass. */
@Catch(LockingError, LockingHttpException)
export class LockingExceptionFilter implements ExceptionFilter<LockingError | LockingHttpException> {
  catch(error: LockingError | LockingHttpException, host: ArgumentsHost): Observable<never> | void {
    if (host.getType() !== 'http') return throwError(() => error);
    const http = host.switchToHttp();
    const problem =
      error instanceof LockingHttpException
        ? error.problem
        : problemOf(error, preconditionsOf(http.getRequest<HttpRequest>()));
    http
      .getResponse<HttpAnswer>()
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify(problem));
  }
}

/** Turns a LockingError into the HttpException that it stands for, for applications with an exception filter of their own. */
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
