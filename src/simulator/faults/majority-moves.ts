import type { Strike } from '../strike.js';
import { damage } from './disk.js';
import { cutBothWays, mendBothWays } from './network.js';

/**
 * One replica lags while the others commit; then one of those others crashes, or its disk forgets, and comes back; then the
 * lagging one returns and the rest is cut off. Only what the crashed replica still knows carries what was acknowledged:
 * when it has lost that, it must not vote.
 */
export function majorityMoves(strike: Strike): void {
  const { random, world, victim } = strike;
  const forgets = random.chance(0.6);
  const crashed = forgets ? victim : strike.any();
  const rest = [...strike.others(crashed)];
  // As many lag as may, so that each quorum of the first half meets one of the second in the crashed replica alone.
  const lagging = rest.splice(random.below(rest.length), Math.ceil(rest.length / 2));
  strike.note('a majority moved');
  for (const station of lagging) cutBothWays(strike, station, strike.others(station));
  strike.after(world.electionTimeoutMs * (1 + 2 * random.next()), () => {
    const backAfterMs = 5 + random.below(50);
    const lost = forgets && damage(strike, backAfterMs);
    if (lost) strike.note('what a majority knew was forgotten by one of it', victim);
    else world.kill(crashed, random.chance(0.5), backAfterMs);
    for (const station of rest) cutBothWays(strike, station, strike.others(station));
    for (const station of lagging)
      mendBothWays(
        strike,
        station,
        [...lagging, crashed].filter((each) => each !== station),
      );
    strike.after(world.electionTimeoutMs * (2 + 3 * random.next()), () => {
      for (const station of world.placed) mendBothWays(strike, station, strike.others(station));
    });
  });
}
