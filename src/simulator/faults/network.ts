import type { Fault, Station, Strike } from '../strike.js';

export const NETWORK_FAULTS = {
  cutOneWay: (strike) => {
    const [from, to] = [strike.any(), strike.any()];
    if (from === to) return;
    strike.note('one direction was cut');
    strike.world.network.cut(from.id, to.id);
    strike.later(2_000, () => strike.world.network.mend(from.id, to.id));
  },
  cutPair: (strike) => {
    const [one, other] = [strike.any(), strike.any()];
    if (one === other) return;
    strike.note('two were cut from each other');
    cutBothWays(strike, one, [other]);
    strike.later(2_500, () => mendBothWays(strike, one, [other]));
  },
  isolate: (strike) => {
    const alone = strike.any();
    strike.note('isolated', alone);
    const others = strike.others(alone);
    cutBothWays(strike, alone, others);
    strike.later(2_500, () => mendBothWays(strike, alone, others));
  },
  /** One of them hears all others, and those do not hear each other. */
  onlyOneHearsAll: (strike) => {
    const center = strike.any();
    strike.note('only one heard all', center);
    const others = strike.others(center);
    for (const other of others)
      cutBothWays(
        strike,
        other,
        others.filter((each) => each !== other),
      );
    strike.later(2_500, () => {
      for (const other of others)
        mendBothWays(
          strike,
          other,
          others.filter((each) => each !== other),
        );
    });
  },
  resetLink: (strike) => strike.world.network.reset(strike.any().id, strike.any().id),
  slowLinks: (strike) => {
    strike.note('links became slow');
    strike.world.network.bandwidth = 20 + strike.random.below(200);
    strike.later(1_500, () => (strike.world.network.bandwidth = Number.POSITIVE_INFINITY));
  },
  farAway: (strike) => {
    strike.note('messages took long');
    const before = strike.world.network.delayMs;
    strike.world.network.delayMs = 5 + strike.random.below(strike.world.electionTimeoutMs / 6);
    strike.later(2_000, () => (strike.world.network.delayMs = before));
  },
} satisfies Record<string, Fault>;

/** Neither of them hears the other. */
export function cutBothWays({ world }: Strike, one: Station, others: readonly Station[]): void {
  for (const { id } of others) {
    world.network.cut(one.id, id);
    world.network.cut(id, one.id);
  }
}

export function mendBothWays({ world }: Strike, one: Station, others: readonly Station[]): void {
  for (const { id } of others) {
    world.network.mend(one.id, id);
    world.network.mend(id, one.id);
  }
}
