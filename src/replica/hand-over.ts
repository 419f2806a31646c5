import type { Peers } from './peers.js';
import type { Clock } from './ports.js';
import type { ShardHost } from './shard-host.js';

/** Asks a peer to lead each shard that is led here, and waits until all of them have another leader or time is up. */
export async function handOver(
  hosts: readonly ShardHost[],
  peers: Peers,
  clock: Clock,
  withinMs: number,
): Promise<void> {
  const until = clock.monotonic() + withinMs;
  const led = hosts.filter((host) => host.leadership.role === 'leader');
  for (const host of led) {
    const candidates = host.status().peers.filter(({ id }) => peers.isUp(id) && !peers.isLeaving(id));
    const transferee = candidates.sort((a, b) => b.matched - a.matched)[0];
    if (transferee !== undefined) host.step({ kind: 'transfer', to: transferee.id });
  }
  const anotherStays = (): boolean => [...peers.up].some((id) => !peers.isLeaving(id));
  const pending = (): boolean =>
    led.some(({ leadership: { role, leader } }) => leader === undefined || role === 'leader');
  while (anotherStays() && pending() && clock.monotonic() < until)
    await new Promise<void>((resume) => clock.after(5, resume));
}
