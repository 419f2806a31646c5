import { groupId } from '../kernel/index.js';
import type { RecordOperation } from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import { type ClientSurroundings, readsBy, repeatedly } from './clients.js';
import type { RecordAccess } from './history.js';

/** Writes one record by compare-and-set, with a token that grows at times and stays behind at others; and reads it. */
export function recordWriter(
  around: ClientSurroundings,
  name: string,
  space: string,
  tokens: { newest: number },
): void {
  const { history, random, time, trace } = around;
  let seen = 0;
  let token = 0;
  const whom = (any: Replica): Replica => any;
  repeatedly(around, whom, (replica, done) => {
    const writes = random.chance(0.6);
    if (random.chance(0.2)) token = random.chance(0.5) ? ++tokens.newest : tokens.newest;
    const access: RecordAccess = {
      space,
      write: writes ? { expected: seen, token } : undefined,
      startedAt: time.now,
      endedAt: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      version: undefined,
    };
    history.records.push(access);
    const end = (outcome: RecordAccess['outcome'], what: string, version?: number): void => {
      // What is not known may still happen.
      if (outcome !== 'unknown') access.endedAt = time.now;
      access.outcome = outcome;
      access.version = version;
      if (version !== undefined) seen = version;
      if (outcome === 'stale') trace.reached('a write with an old token was refused');
      trace.note(time.now, `${name} ${writes ? 'write' : 'read'} ${space}: ${what} ${version ?? ''}`);
      done();
    };
    const shard = replica.shardOf(groupId(space));
    if (!writes) {
      return replica[readsBy(around)](shard, (outcome) => {
        if (outcome.kind !== 'ok') return end('refused', outcome.kind);
        end('ok', 'found', outcome.view.registers.get(space, 'r')?.version ?? 0);
      });
    }
    const operations = [operation(name, seen, token)];
    replica.submitAnywhere(shard, { kind: 'record.write', space, atomic: true, operations }, (outcome) => {
      if (outcome.kind !== 'ok')
        return end(outcome.kind === 'outcome-unknown' ? 'unknown' : 'refused', outcome.kind);
      const result = outcome.reply.kind === 'records' ? outcome.reply.outcomes[0] : undefined;
      switch (result?.kind) {
        case 'written':
          return end('ok', 'written', result.version);
        case 'version-conflict':
        case 'already-exists':
          return end('conflict', result.kind, result.actual);
        case 'stale-epoch':
          return end('stale', result.kind);
        default:
          return end('conflict', result?.kind ?? 'nothing', 0);
      }
    });
  });
}

function operation(by: string, version: number, token: number): RecordOperation {
  const fields = [{ name: 'by', json: JSON.stringify(by.repeat(1 + (version % 40))) }];
  const fence = { scope: 'scope', token: BigInt(token), owner: null };
  return version === 0
    ? { kind: 'insert', id: 'r', fields, fence }
    : { kind: 'update', id: 'r', version, fields, replace: false, fence };
}
