import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { GroupError } from '../../../src/groups/index.js';
import type { TopicError } from '../../../src/topics/types.js';
import { errorByCode, errorCode, ERRORS, type ErrorName } from '../../../src/wire/index.js';
import { tableOf } from './pages.js';

/** Does not compile when a room answers with a name that the table lacks. */
type MustBeNamed<Names extends ErrorName> = Names;
export type Proof = MustBeNamed<GroupError> | MustBeNamed<TopicError>;

/** Where errors are chosen: their names stand there as text, or the code does not compile. */
const ROOMS = ['broker', 'groups', 'topics', 'wire'];
function sourcesOf(room: string): readonly string[] {
  const folder = new URL(`../../../src/${room}/`, import.meta.url);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
    .map((file) => readFileSync(new URL(file, folder), 'utf8'));
}

describe('the error table', () => {
  it('is the one of docs/wire.md, as far as errors are chosen here', () => {
    const sources = ROOMS.flatMap(sourcesOf);
    const chosen = ERRORS.filter(
      ({ code, name }) => code !== 0 && sources.some((text) => text.includes(`'${name}'`)),
    );
    expect(tableOf(['code', 'name', 'retriable', 'when', 'what to do'])).toEqual(
      chosen.map(({ code, name, retriable, when, whatToDo }) => [
        String(code),
        name,
        retriable ? 'yes' : 'no',
        when,
        whatToDo,
      ]),
    );
  });

  it('has each code and each name once, ascending', () => {
    const codes = ERRORS.map(({ code }) => code);
    expect(codes).toEqual([...new Set(codes)].sort((a, b) => a - b));
    expect(new Set(ERRORS.map(({ name }) => name)).size).toBe(ERRORS.length);
  });

  it('leads from name to code and back', () => {
    for (const entry of ERRORS) expect(errorByCode(errorCode(entry.name))).toBe(entry);
    expect(errorByCode(9999)).toBeUndefined();
  });

  it.each([
    ['NONE', 0],
    ['UNKNOWN_SERVER_ERROR', -1],
    ['NOT_COORDINATOR', 16],
    ['ILLEGAL_GENERATION', 22],
    ['UNKNOWN_MEMBER_ID', 25],
    ['REBALANCE_IN_PROGRESS', 27],
    ['UNSUPPORTED_VERSION', 35],
    ['NOT_CONTROLLER', 41],
    ['POLICY_VIOLATION', 44],
    ['MEMBER_ID_REQUIRED', 79],
    ['FENCED_INSTANCE_ID', 82],
    ['GROUP_SUBSCRIBED_TO_TOPIC', 86],
    ['UNKNOWN_TOPIC_ID', 100],
    ['STALE_MEMBER_EPOCH', 113],
    ['REBOOTSTRAP_REQUIRED', 129],
  ] as const)('knows %s as %d', (name, code) => {
    expect(errorCode(name)).toBe(code);
  });
});
