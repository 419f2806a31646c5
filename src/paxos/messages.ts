import type { MonotonicMs, Slot } from '../kernel/index.js';
import type { Ballot } from './ballot.js';
import type { AcceptedEntry, Entry } from './entry.js';
import type { Peer } from './progress.js';

/** What the cores of one shard say to each other. Every message carries the number of the sender's configuration. */
export type Message = { readonly configuration: number } & MessageBody;

export type MessageBody =
  /** Sent to every peer once a round: "I am here", and from a leader also "follow me", "this much is chosen". */
  | {
      readonly kind: 'heartbeat';
      readonly round: number;
      readonly ballot: Ballot;
      /** The sender leads with this ballot and hears an accept quorum. */
      readonly leads: boolean;
      readonly chosenThrough: Slot;
    }
  | {
      readonly kind: 'heartbeatReply';
      readonly round: number;
      /** What the replier has promised; equal to the heartbeat's when it follows. */
      readonly ballot: Ballot;
      /** The replier grants the sender a lease: it promises no other replica anything for leaseMs. */
      readonly follows: boolean;
      /** The replier leads, or follows a leader that does well. */
      readonly content: boolean;
      readonly votes: boolean;
      /** The replier votes and reaches an electing quorum both ways: it could lead. */
      readonly electable: boolean;
      readonly priority: number;
      /** Its log agrees with the leader's through here. */
      readonly matched: Slot;
      readonly chosenThrough: Slot;
    }
  /** Phase 1a, for every slot from `fromSlot` on. Asked again with a higher `fromSlot` for the next chunk of the promise. */
  | {
      readonly kind: 'prepare';
      readonly ballot: Ballot;
      readonly fromSlot: Slot;
      /** The ballot of a leader that hands over: a replica that granted it a lease is released from the grant. */
      readonly consent: Ballot | undefined;
    }
  /** Phase 1b. */
  | {
      readonly kind: 'promise';
      readonly ballot: Ballot;
      readonly firstSlot: Slot;
      readonly accepted: readonly AcceptedEntry[];
      /** No more to report behind these. */
      readonly last: boolean;
      readonly chosenThrough: Slot;
      /** The first slot that is still in the replier's log. */
      readonly logStart: Slot;
    }
  /** Phase 2a for consecutive slots. Taken only when it continues what the receiver has of this ballot. */
  | {
      readonly kind: 'accept';
      readonly ballot: Ballot;
      readonly firstSlot: Slot;
      readonly entries: readonly Entry[];
      readonly chosenThrough: Slot;
    }
  /** Phase 2b: everything of this ballot through `through` is accepted and durable. `gap`: the last Accept did not continue it. */
  | {
      readonly kind: 'accepted';
      readonly ballot: Ballot;
      readonly through: Slot;
      readonly gap: boolean;
      readonly votes: boolean;
    }
  /** Somebody holds a higher promise. */
  | { readonly kind: 'rejected'; readonly ballot: Ballot }
  /** A replica that lags asks one that has more. */
  | { readonly kind: 'catchUp'; readonly fromSlot: Slot }
  | {
      readonly kind: 'chosenEntries';
      readonly firstSlot: Slot;
      readonly entries: readonly AcceptedEntry[];
      readonly chosenThrough: Slot;
    }
  /** The leader has stopped and gives up its lease: take over now. */
  | { readonly kind: 'takeOver'; readonly ballot: Ballot }
  /** The configuration of your message has ended: catch up. */
  | { readonly kind: 'ended'; readonly chosenThrough: Slot };

export type MessageOf<K extends MessageBody['kind']> = Extract<MessageBody, { kind: K }>;

/** A message as its handler gets it. */
export interface Received<K extends MessageBody['kind']> {
  readonly peer: Peer;
  readonly message: MessageOf<K>;
  readonly now: MonotonicMs;
}

/** Lost without harm: the next round says it again. */
export const isDroppable = (message: Message): boolean =>
  message.kind === 'heartbeat' || message.kind === 'heartbeatReply';
