import type { Preconditions } from './problem.js';

/** What is used of a request and an answer; Express and Fastify both have it. */
export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}
export interface HttpAnswer extends Partial<NodeAnswer> {
  /** Fastify: the answer of Node underneath, which Express's answer is itself. */
  readonly raw?: NodeAnswer;
  status(code: number): HttpAnswer;
  header(name: string, value: string): HttpAnswer;
  type(contentType: string): HttpAnswer;
  send(body: unknown): void;
}
interface NodeAnswer {
  readonly headersSent: boolean;
  end(): void;
}

/** A handler that writes the answer itself has sent its status already. */
export const hasBegun = (answer: HttpAnswer): boolean => (answer.raw ?? answer).headersSent === true;

export function headerOf({ headers }: HttpRequest, name: 'if-match' | 'if-none-match'): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
}

export const preconditionsOf = (request: HttpRequest): Preconditions => ({
  ifMatch: headerOf(request, 'if-match') !== undefined,
  ifNoneMatch: headerOf(request, 'if-none-match') !== undefined,
});
