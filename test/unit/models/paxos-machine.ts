import type { ReplicaId, Slot } from '../../../src/kernel/index.js';
import type { Ballot } from '../../../src/paxos/index.js';
import { type Channel, WORD } from './paxos-network.js';
import { type Action, type Bounds, ModelReplica, type Plant, REPLICAS } from './paxos-replica.js';

/** One state of one replica. */
export interface Local {
  readonly number: number;
  readonly before: { readonly local: Local; readonly action: Action } | undefined;
  readonly configuration: number;
  readonly floor: Ballot;
  readonly chosenThrough: Slot;
  readonly crashesLeft: boolean;
  /** What its machine was told, in this life and all before: slot -> value. */
  readonly told: string;
  /** Its own steps; computed when first asked for. */
  steps: readonly Step[] | undefined;
  /** What the letters do here, by sender. */
  readonly inboxes: readonly Inbox[];
}

/** By number of the letter: which were tried in this state, which of them do something, and what. */
export interface Inbox {
  tried: Uint32Array;
  effective: Uint32Array;
  readonly steps: Map<number, Step>;
  /** Sets of letters, with sets of answers, and what remains of the letters that can still change something. */
  readonly open: Map<number, number>;
}

export interface Step {
  readonly action: Action;
  readonly to: Local;
  /** What leaves: numbers of letters, by receiver. */
  readonly letters: readonly (readonly number[])[];
}

/** All states that one replica can be in. The production core makes each by the actions that led to it. */
export class Machine {
  readonly locals: Local[] = [];
  readonly initial: Local;
  readonly #byDigest = new Map<string, Local>();

  constructor(
    readonly id: ReplicaId,
    readonly bounds: Bounds,
    readonly plant: Plant | undefined,
    /** To it and from it, by the other replica. */
    readonly inbound: readonly Channel[],
    readonly outbound: readonly Channel[],
  ) {
    this.initial = this.#intern(this.#replica(), undefined);
  }

  stepsOf(local: Local): readonly Step[] {
    local.steps ??= this.#revive(local)
      .actions()
      .map((action) => this.#act(this.#revive(local), local, action));
    return local.steps;
  }

  /** Tries the letters of one channel that were not tried in this state. */
  tryLetters(local: Local, from: number, letters: Uint32Array): Inbox {
    const inbox = local.inboxes[from]!;
    let replica: ModelReplica | undefined;
    for (let at = 0; at < letters.length; at++) {
      let untried = letters[at]! & ~(inbox.tried[at] ?? 0);
      if (untried === 0) continue;
      inbox.tried = widened(inbox.tried, letters.length);
      inbox.effective = widened(inbox.effective, letters.length);
      inbox.tried[at]! |= untried;
      for (; untried !== 0; untried &= untried - 1) {
        const bit = 31 - Math.clz32(untried & -untried);
        replica ??= this.#revive(local);
        const message = this.inbound[from]!.messages[at * WORD + bit]!;
        const step = this.#act(replica, local, { kind: 'deliver', from: REPLICAS[from]!, message });
        // Nothing has changed: the live replica serves for the next letter.
        if (step.to !== local) replica = undefined;
        else if (step.letters.every((numbers) => numbers.length === 0)) continue;
        inbox.effective[at]! |= 1 << bit;
        inbox.steps.set(at * WORD + bit, step);
      }
    }
    return inbox;
  }

  #replica(): ModelReplica {
    return new ModelReplica(this.id, this.bounds, this.plant);
  }

  /** A live replica in that state. */
  #revive(local: Local): ModelReplica {
    const actions: Action[] = [];
    for (let at = local; at.before !== undefined; at = at.before.local) actions.push(at.before.action);
    const replica = this.#replica();
    for (const action of actions.reverse()) replica.act(action);
    replica.takeSent();
    return replica;
  }

  #act(replica: ModelReplica, local: Local, action: Action): Step {
    replica.act(action);
    const letters: number[][] = REPLICAS.map(() => []);
    for (const { to, message } of replica.takeSent()) {
      const at = REPLICAS.indexOf(to);
      letters[at]!.push(this.outbound[at]!.numberOf(message));
    }
    return { action, to: this.#intern(replica, { local, action }), letters };
  }

  #intern(replica: ModelReplica, before: Local['before']): Local {
    const digest = replica.digest();
    const known = this.#byDigest.get(digest);
    if (known !== undefined) return known;
    const { configuration, floor, chosenThrough, crashesLeft, told } = replica;
    const local: Local = {
      number: this.locals.length,
      before,
      configuration,
      floor,
      chosenThrough,
      crashesLeft,
      told: told.join(),
      steps: undefined,
      inboxes: REPLICAS.map(() => ({
        tried: new Uint32Array(0),
        effective: new Uint32Array(0),
        steps: new Map<number, Step>(),
        open: new Map<number, number>(),
      })),
    };
    this.locals.push(local);
    this.#byDigest.set(digest, local);
    return local;
  }
}

function widened(bits: Uint32Array, words: number): Uint32Array {
  if (bits.length >= words) return bits;
  const wider = new Uint32Array(words);
  wider.set(bits);
  return wider;
}
