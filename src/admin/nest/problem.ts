import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { ProblemJson } from '../shapes.js';

/** An answer other than success, as RFC 9457 has it. */
export class Problem extends HttpException {
  /** `more`: members for programs, beside those of the RFC. */
  constructor(status: number, title: string, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    const problem: ProblemJson = { type: 'about:blank', title, status, detail, ...more };
    super(problem, status);
  }
}

/** What the filter needs of an answer; Express and Fastify are both given it by Nest's adapter. */
interface Answer {
  status(code: number): Answer;
  type(contentType: string): Answer;
  send(body: unknown): void;
}

/** Every refusal as application/problem+json, those of Nest and its body parser included. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #log = new Logger('HTTP');

  catch(error: unknown, host: ArgumentsHost): void {
    const problem = this.#problemOf(error);
    host
      .switchToHttp()
      .getResponse<Answer>()
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify(problem));
  }

  #problemOf(error: unknown): { readonly status: number } {
    if (error instanceof HttpException) {
      const body = error.getResponse();
      // Ours says everything itself: a Problem, or the reasons why a replica is not ready.
      if (typeof body === 'object' && !('statusCode' in body)) return { ...body, status: error.getStatus() };
      return problem(error.getStatus(), error.message);
    }
    // The body parser's errors are not Nest's.
    const { status, message } = error as { readonly status?: unknown; readonly message?: unknown };
    if (typeof status === 'number' && status >= 400 && status < 500) return problem(status, String(message));
    this.#log.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return problem(500, 'The replica failed at this request; its log says how.');
  }
}

const problem = (status: number, detail: string): ProblemJson => ({
  type: 'about:blank',
  title: status < 500 ? 'Request refused' : 'Internal error',
  status,
  detail,
});
