import { InvariantError } from '../../kernel/index.js';

/** The machine answered a command with the reply of another: a defect of ours. */
export function unexpectedReply(command: string, reply: string): never {
  throw new InvariantError(`broken invariant: ${command} was answered with ${reply}`);
}
