import { HttpException } from '@nestjs/common';
import {
  type LockingError,
  type NotOwnedError,
  type RecordExistsError,
  type RecordNotFoundError,
  type StaleEpochError,
  type VersionConflictError,
} from '../errors.js';

/** RFC 9457, with members that a client can act on. Tokens are text: they may be beyond 2^53. */
export interface LockingProblem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: LockingError['code'] | 'precondition-required' | 'precondition-malformed';
  readonly [member: string]: string | number;
}

/** An answer whose body is a problem; sent as application/problem+json by the LockingExceptionFilter. */
export class LockingHttpException extends HttpException {
  constructor(
    readonly problem: LockingProblem,
    cause?: unknown,
  ) {
    super({ ...problem }, problem.status, { cause });
  }
}

/** What a request says about the state that it expects. */
export interface Preconditions {
  readonly ifMatch: boolean;
  readonly ifNoneMatch: boolean;
}

/**
 * The answer for an error. With a precondition in the request, a record in another state is a failed
 * precondition (412); without one it is a conflict of the application's own making (409).
 */
export function problemOf(error: LockingError, { ifMatch, ifNoneMatch }: Preconditions): LockingProblem {
  const { code, message: detail } = error;
  const problem = (
    status: number,
    title: string,
    members: Record<string, string | number> = {},
  ): LockingProblem => ({
    type: 'about:blank',
    ...{ title, status, detail, code },
    ...members,
  });
  switch (code) {
    case 'version-conflict': {
      const { resource, id, expected, actual } = error as VersionConflictError;
      const members = { resource, id, expected, actual };
      return ifMatch
        ? problem(412, 'Precondition failed', members)
        : problem(409, 'Version conflict', members);
    }
    case 'already-exists': {
      const { resource, id, actual } = error as RecordExistsError;
      const members = { resource, id, actual };
      return ifNoneMatch
        ? problem(412, 'Precondition failed', members)
        : problem(409, 'Exists already', members);
    }
    case 'stale-epoch': {
      const { scope, token, current } = error as StaleEpochError;
      return problem(409, 'Stale epoch', { scope, token: String(token), current: String(current) });
    }
    case 'not-found': {
      const { resource, id } = error as RecordNotFoundError;
      return problem(404, 'Not found', { resource, id });
    }
    case 'outcome-unknown':
      return problem(504, 'Outcome unknown');
    case 'unavailable':
      return problem(503, 'Store unavailable');
    case 'not-owned':
      return problem(409, 'Not owned here', { scope: (error as NotOwnedError).scope });
  }
}
