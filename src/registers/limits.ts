import type { RecordField, RecordFence, RegisterCommand } from './types.js';

/** What a record may be. Bytes are of UTF-8. */
export const RECORD_LIMITS = {
  nameBytesMax: 512,
  valueBytesMax: 64 * 1024,
  operationsMax: 256,
  tokenMax: 2n ** 63n - 1n,
} as const;

/** What is wrong with a command, as a text for the sender. Call it before the command is proposed. */
export function recordProblem(command: RegisterCommand): string | undefined {
  const { space } = command;
  if (command.kind === 'record.seal')
    return nameProblem('the name of a space', space) ?? fenceProblem(command.fence);
  const { operations } = command;
  const { operationsMax } = RECORD_LIMITS;
  if (operations.length === 0 || operations.length > operationsMax)
    return `a transaction has 1 to ${operationsMax} operations, not ${operations.length}`;
  let problem = nameProblem('the name of a space', space);
  for (const operation of operations) {
    problem ??= nameProblem('the id of a record', operation.id);
    if (operation.fence !== null) problem ??= fenceProblem(operation.fence);
    if (operation.kind !== 'insert') problem ??= versionProblem(operation.version);
    if (operation.kind === 'insert' || operation.kind === 'update')
      problem ??= valueProblem(operation.fields);
  }
  return problem;
}

const utf8Bytes = (text: string): number => Buffer.byteLength(text);

function nameProblem(what: string, text: string): string | undefined {
  const { nameBytesMax } = RECORD_LIMITS;
  return text === '' || utf8Bytes(text) > nameBytesMax
    ? `${what} is a text of 1 to ${nameBytesMax} bytes`
    : undefined;
}
function versionProblem(version: number): string | undefined {
  return Number.isSafeInteger(version) && version >= 1
    ? undefined
    : 'a version is a whole number from 1 on: the one that was read';
}
function fenceProblem({ scope, token, owner }: RecordFence): string | undefined {
  const { tokenMax } = RECORD_LIMITS;
  if (token < 0n || token > tokenMax) return `a token is a whole number from 0 to ${tokenMax}`;
  return (
    nameProblem('the scope of a fence', scope) ??
    (owner === null ? undefined : nameProblem('the owner of a fence', owner))
  );
}
function valueProblem(fields: readonly RecordField[]): string | undefined {
  const { valueBytesMax } = RECORD_LIMITS;
  const bytes = fields.reduce((sum, { name, json }) => sum + utf8Bytes(name) + utf8Bytes(json), 0);
  return bytes > valueBytesMax
    ? `a record holds at most ${valueBytesMax} bytes; this one has ${bytes}`
    : undefined;
}
