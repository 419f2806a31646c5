import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type GroupId, groupId } from '../../kernel/index.js';
import { Problem } from './problem.js';

interface Asked {
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/**
 * The group of a request: `/groups/:id/...`, or `/group/...?id=` for any name at all. Parsers of URLs take `.` and
 * `..` out of its path, encoded or not, and an empty name is no part of one.
 */
export const GroupName = createParamDecorator((_: unknown, context: ExecutionContext): GroupId => {
  const { params, query } = context.switchToHttp().getRequest<Asked>();
  const name = params['id'] ?? query['id'];
  if (typeof name !== 'string') throw new Problem(400, 'Bad request', 'Say which group: /group?id=NAME.');
  return groupId(name);
});
