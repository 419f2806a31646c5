import type { ShardId } from '../../kernel/index.js';
import type { MachineView } from '../../machine/index.js';
import type { Refusal } from '../../replica/index.js';
import type { AdminSource } from '../port.js';
import { Problem } from './problem.js';

interface Request {
  readonly socket: { readonly localPort?: number };
}

/** What is needed of an answer beside its body; Express and Fastify both have it. */
export interface Answer {
  /** Of Express. */
  readonly req?: Request;
  /** Of Fastify. */
  readonly request?: Request;
  status(code: number): Answer;
  header(name: string, value: string): Answer;
}

/** The port that the client came to: it is told the addresses of that listener. */
export const portOf = ({ req, request }: Answer): number | undefined => (req ?? request)?.socket.localPort;

/**
 * A linearizable read. Where another replica leads, the client is sent there: `path` is what it asked for.
 * `redirect: no` is for clients that cannot reach that one: this replica answers, having asked the leader.
 */
export async function freshView(
  source: AdminSource,
  shard: ShardId,
  path: string,
  redirect: string | undefined,
  answer: Answer,
): Promise<MachineView> {
  if (redirect === 'no') {
    const here = await source.readAnywhere(shard);
    if (here.kind === 'ok') return here.view;
    throw refused(here);
  }
  const outcome = await source.read(shard);
  if (outcome.kind === 'ok') return outcome.view;
  const leader = outcome.kind === 'not-leader' ? outcome.leader : undefined;
  const url = source.httpAddresses(portOf(answer)).find(({ id }) => id === leader)?.url;
  if (url === undefined || leader === source.self) throw refused(outcome);
  answer.header('location', `${url}/${path}`);
  throw new Problem(307, 'Led elsewhere', `Replica ${leader} leads this: ${url}`);
}

/** For what only the leader can do, and without a log entry: another replica has to be asked elsewhere. */
export async function ledHere(source: AdminSource, shard: ShardId): Promise<void> {
  const outcome = await source.read(shard);
  if (outcome.kind === 'ok') return;
  const leader = outcome.kind === 'not-leader' ? outcome.leader : undefined;
  if (leader === undefined || leader === source.self) throw refused(outcome);
  throw new Problem(503, 'Led elsewhere', `Replica ${leader} leads this group: ask that one.`);
}

/** Why a replica could not do it, for the client. */
export function refused({ kind }: Refusal): Problem {
  switch (kind) {
    case 'not-leader':
      return new Problem(503, 'No leader', 'No replica leads this right now. Try again in a second.');
    case 'overloaded':
      return new Problem(503, 'Overloaded', 'Too much is waiting already. Try again in a second.');
    case 'outcome-unknown':
      return new Problem(
        504,
        'Outcome unknown',
        'The answer was lost: it may or may not have happened. Read again to find out.',
        { code: 'outcome-unknown' },
      );
  }
}
