import type { Fence, WriteOperation, WriteOutcome } from '../model.js';
import { REMEMBERED_CHANGES } from './scripts.js';

/** What a script answered about one operation. */
export interface Answer {
  readonly operation: WriteOperation;
  readonly outcome: WriteOutcome;
  /** The version of the record, or of its tombstone, when it was refused; 0 when there is neither. */
  readonly present: number;
}

/** Undefined: an earlier copy of the request carried it out, and the version that it gave is forgotten. */
export function parseAnswer(operation: WriteOperation, text: string): Answer | undefined {
  const space = text.indexOf(' ');
  const present = Number(space < 0 ? text.slice(1) : text.slice(1, space));
  const outcome = outcomeOf(operation, text, present, space);
  return outcome === undefined ? undefined : { operation, outcome, present };
}

function outcomeOf(
  operation: WriteOperation,
  text: string,
  present: number,
  space: number,
): WriteOutcome | undefined {
  switch (text[0]) {
    case 'w':
      return { kind: 'written', version: present };
    case 'n':
      return { kind: 'not-found' };
    case 'c':
      return { kind: 'version-conflict', expected: versionOf(operation), actual: present };
    case 'e':
      return { kind: 'already-exists', actual: present };
    case 's': {
      const { scope, token } = operation.fence as Fence;
      return { kind: 'stale-epoch', scope, token, current: BigInt(text.slice(space + 1)) };
    }
    case 'k':
      return { kind: 'skipped' };
    case 'u':
      return undefined;
    default:
      throw new Error(`the script answered ${text}, which this version of the store does not know`);
  }
}

/**
 * Whether a refusal of operations that are carried out together may be believed although the connection broke meanwhile.
 * Then an earlier copy of the request may have been carried out (and later changes may hide its id), or may still come.
 * Believable is what shows that no copy was carried out, and that none ever will be.
 */
export function refusalStands(answers: readonly Answer[]): boolean {
  const changes = answers.filter(({ operation }) => operation.kind !== 'check');
  return changes.length === 0 || (changes.some(showsNoCopy) && answers.some(standsForEver));
}

/** The record still remembers which request made the version that this operation would have made: another request, or none. */
function showsNoCopy({ operation, present }: Answer): boolean {
  const since = present - versionOf(operation);
  return since >= 0 && since <= REMEMBERED_CHANGES;
}

/** Versions and fences only grow. An id that is taken may become free again, and then a late insert would succeed. */
function standsForEver({ operation, outcome, present }: Answer): boolean {
  switch (outcome.kind) {
    case 'stale-epoch':
      return true;
    case 'version-conflict':
    case 'not-found':
      return present > versionOf(operation);
    case 'already-exists':
    case 'skipped':
    case 'written':
      return false;
  }
}

const versionOf = (operation: WriteOperation): number =>
  operation.kind === 'insert' ? 0 : operation.version;
