import { groupId, topicName } from '../kernel/index.js';
import type { Replica } from '../replica/index.js';
import { type ClientSurroundings, commitOf, repeatedly } from './clients.js';
import type { History } from './history.js';
import type { VirtualTime } from './virtual-time.js';

/** Of each kind of request so many come at one moment: twice what a replica lets wait. */
const AT_ONCE = 48;
const FLOODS_EVERY_MS = 250;
/** A turn has ended by then, and no answer of a peer has come. Milliseconds. */
const SETTLED_MS = 0.1;

/** Asks one replica for more than may wait there, and looks at what does. Nobody cares for the answers. */
export function flooder(around: ClientSurroundings): void {
  const { time, trace, history, healed } = around;
  const group = groupId('flood');
  const commits = { group, topic: topicName('work'), tried: 0, acknowledged: 0 };
  const heard = ({ kind }: { readonly kind: string }): void => {
    if (kind === 'overloaded') trace.reached('too much was asked at once');
  };
  repeatedly(
    { ...around, paceMs: () => FLOODS_EVERY_MS },
    (any) => any,
    (replica, done) => {
      if (healed()) return done();
      const shard = replica.shardOf(group);
      for (let count = 0; count < AT_ONCE; count++) {
        replica.submitAnywhere(shard, commitOf(commits, ++commits.tried, 1), heard);
        replica.submit(shard, commitOf(commits, ++commits.tried, 1), heard);
        replica.readAnywhere(shard, heard);
        replica.read(shard, heard);
      }
      time.after(SETTLED_MS, () => {
        // Who is stopped, or waits for its disk, is in the middle of a turn: it runs this later.
        let now = true;
        around.inProcess(replica, () => {
          if (now) noteTooMuch(replica, time, history);
        });
        now = false;
      });
      done();
    },
  );
}

/** What a replica holds beyond its limit. */
export function noteTooMuch(replica: Replica, { now }: VirtualTime, { witnessed }: History): void {
  const tooMuch = replica.held().find(({ amount, most }) => amount > most);
  if (tooMuch === undefined || witnessed.has('what-waits-is-limited')) return;
  const { what, amount, most } = tooMuch;
  witnessed.set(
    'what-waits-is-limited',
    `at ${now} ms replica ${replica.self} holds ${amount} ${what}, and ${most} are the most`,
  );
}
