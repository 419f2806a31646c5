import { type EngineContainer, type EngineNetwork, internalNetwork, removeNetwork } from './engine.js';

/** A replica on these networks; others reach it there as `host`. */
interface Peer {
  readonly host: string;
  readonly container: EngineContainer;
  /** The indices of the networks that it is connected to. */
  on: ReadonlySet<number>;
}

/**
 * The links between replicas, and nothing else, run over networks of their own: a cut leaves clients where they are. One
 * network joins all; each further group of a partition has one of its own.
 */
export class PeerNetworks {
  readonly #name: string;
  readonly #networks: EngineNetwork[];
  readonly #peers = new Map<number, Peer>();

  private constructor(name: string, first: EngineNetwork) {
    this.#name = name;
    this.#networks = [first];
  }
  static async open(name: string): Promise<PeerNetworks> {
    return new PeerNetworks(name, await internalNetwork(`${name}-0`));
  }

  async join(id: number, host: string, container: EngineContainer): Promise<void> {
    await this.#connect({ host, container }, 0);
    this.#peers.set(id, { host, container, on: new Set([0]) });
  }

  /** Replicas of different groups do not reach each other; who is in none reaches all. Without groups all are joined. */
  async partition(groups: readonly (readonly number[])[]): Promise<void> {
    // The largest group stays where it is.
    const bySize = [...groups].sort((a, b) => b.length - a.length);
    while (this.#networks.length < bySize.length)
      this.#networks.push(await internalNetwork(`${this.#name}-${this.#networks.length}`));
    const every = new Set(bySize.length === 0 ? [0] : bySize.keys());
    for (const [id, peer] of this.#peers) {
      const group = bySize.findIndex((ids) => ids.includes(id));
      const wanted = group < 0 ? every : new Set([group]);
      for (const index of peer.on)
        if (!wanted.has(index))
          await this.#networks[index]!.disconnect({ Container: peer.container.id, Force: true });
      for (const index of wanted) if (!peer.on.has(index)) await this.#connect(peer, index);
      peer.on = wanted;
    }
  }

  async remove(): Promise<void> {
    for (const network of this.#networks) await removeNetwork(network);
  }

  async #connect({ host, container }: Pick<Peer, 'host' | 'container'>, index: number): Promise<void> {
    await this.#networks[index]!.connect({ Container: container.id, EndpointConfig: { Aliases: [host] } });
  }
}
