import {
  type Effect,
  formatBallot,
  type HardRecord,
  type Input,
  type Message,
  type Send,
} from '../../../src/paxos/index.js';
import { assertNever, type ReplicaId } from '../../../src/kernel/index.js';
import { configurationText, valueText } from './value.js';

/** The words in which a trace tells of inputs, effects, messages and records. One line each. */

const replica = (id: ReplicaId | undefined): string => (id === undefined ? 'nobody' : `r${id}`);

function slots(first: number, values: readonly string[]): string {
  if (values.length === 0) return `nothing from slot ${first} on`;
  const last = first + values.length - 1;
  return `${first === last ? `slot ${first}` : `slots ${first}..${last}`} = ${values.join(' ')}`;
}

export function tellMessage(message: Message): string {
  switch (message.kind) {
    case 'heartbeat': {
      const { round, ballot, leads, chosenThrough } = message;
      return `heartbeat ${round} of ${formatBallot(ballot)}${leads ? ', leads' : ''}, chosen ${chosenThrough}`;
    }
    case 'heartbeatReply': {
      const { round, ballot, follows, content, matched } = message;
      const mood = follows ? 'follows' : content ? 'content' : 'without a leader';
      return `heartbeat reply ${round} of ${formatBallot(ballot)}, ${mood}, matched ${matched}`;
    }
    case 'prepare': {
      const consent =
        message.consent === undefined ? '' : `, with the consent of ${formatBallot(message.consent)}`;
      return `prepare ${formatBallot(message.ballot)} from slot ${message.fromSlot}${consent}`;
    }
    case 'promise': {
      const { ballot, firstSlot, accepted, last, chosenThrough } = message;
      const values = accepted.map((each) => `${valueText(each.entry)}(${formatBallot(each.ballot)})`);
      return `promise ${formatBallot(ballot)}: ${slots(firstSlot, values)}${last ? '' : ', more to come'}, chosen ${chosenThrough}`;
    }
    case 'accept': {
      const { ballot, firstSlot, entries, chosenThrough } = message;
      return `accept ${formatBallot(ballot)}: ${slots(firstSlot, entries.map(valueText))}, chosen ${chosenThrough}`;
    }
    case 'accepted': {
      const { ballot, through, gap } = message;
      return `accepted ${formatBallot(ballot)} through ${through}${gap ? ', gap behind it' : ''}`;
    }
    case 'rejected':
      return `rejected, promised ${formatBallot(message.ballot)}`;
    case 'catchUp':
      return `catch up from slot ${message.fromSlot}`;
    case 'chosenEntries': {
      const { firstSlot, entries, chosenThrough } = message;
      return `chosen entries: ${slots(
        firstSlot,
        entries.map((each) => valueText(each.entry)),
      )}, chosen ${chosenThrough}`;
    }
    case 'takeOver':
      return `take over from ${formatBallot(message.ballot)}`;
    case 'ended':
      return `configuration ended, chosen ${message.chosenThrough}`;
    default:
      return assertNever(message);
  }
}

export function tellInput(input: Input): string {
  switch (input.kind) {
    case 'message':
      return `<- ${replica(input.from)}  ${tellMessage(input.message)}`;
    case 'tick':
      return 'tick';
    case 'stalled':
      return `did not run for ${input.ms} ms`;
    case 'peerDied':
      return `told that ${replica(input.peer)} has died`;
    case 'peerUp':
      return `told of a new link to ${replica(input.peer)}`;
    case 'propose':
      return `client proposes ${input.proposals.map(({ payload }) => Buffer.from(payload).toString()).join(' ')}`;
    case 'reconfigure':
      return `client reconfigures to ${configurationText(input.next)}`;
    case 'persisted':
      return `disk ${input.id} is durable`;
    case 'applied':
      return `machine has applied through ${input.through}`;
    case 'read':
      return `client reads (${input.id})`;
    case 'transfer':
      return `asked to hand over to ${replica(input.to)}`;
    case 'snapshotTaken':
      return `snapshot taken through ${input.through}`;
    case 'snapshotInstalled':
      return `snapshot installed through ${input.through}`;
    default:
      return assertNever(input);
  }
}

export function tellRecord(record: HardRecord): string {
  switch (record.kind) {
    case 'promised':
      return `promised ${formatBallot(record.ballot)}`;
    case 'accepted':
      return `accepted ${formatBallot(record.ballot)} ${slots(record.firstSlot, record.entries.map(valueText))}`;
    case 'chosen':
      return `chosen ${record.through}`;
    case 'snapshot':
      return `snapshot ${record.through}`;
    case 'configuration':
      return `${configurationText(record.configuration)}, behind slot ${record.since}`;
    default:
      return assertNever(record);
  }
}

/** One line an effect; the same message to several replicas is told once. */
export function tellEffects(effects: readonly Effect[]): readonly string[] {
  const lines: string[] = [];
  let last: { readonly text: string; readonly to: string[] } | undefined;
  for (const effect of effects) {
    if (effect.kind === 'send') {
      const text = tellMessage(effect.message);
      if (last?.text === text) {
        last.to.push(replica(effect.to));
        lines.pop();
      } else last = { text, to: [replica(effect.to)] };
      lines.push(`-> ${last.to.join(' ')}  ${text}`);
      continue;
    }
    last = undefined;
    lines.push(tellEffect(effect));
  }
  return lines;
}

function tellEffect(effect: Exclude<Effect, Send & { kind: 'send' }>): string {
  switch (effect.kind) {
    case 'persist': {
      const records = effect.records.map(tellRecord).join('; ') || 'nothing new';
      const then = effect.then.map(({ to, message }) => `, then -> ${replica(to)}  ${tellMessage(message)}`);
      return `disk ${effect.id}${effect.sync ? '' : ' (no sync)'}: ${records}${then.join('')}`;
    }
    case 'chosen':
      return `chosen: ${slots(effect.firstSlot, effect.entries.map(valueText))}`;
    case 'proposalsFailed':
      return `proposals ${effect.ids.join(' ')} failed: ${effect.reason}`;
    case 'readReady':
      return `read ${effect.ids.join(' ')} may be answered`;
    case 'readsFailed':
      return `read ${effect.ids.join(' ')} failed`;
    case 'leadership': {
      const { role, serving, leader, ballot } = effect.leadership;
      const follows = role === 'follower' ? ` of ${replica(leader)}` : '';
      return `now ${serving ? 'serving ' : ''}${role}${follows}, promised ${formatBallot(ballot)}`;
    }
    case 'snapshotNeeded':
      return `${replica(effect.to)} needs a snapshot`;
    case 'fatal':
      return `FATAL ${effect.reason}`;
    default:
      return assertNever(effect);
  }
}
