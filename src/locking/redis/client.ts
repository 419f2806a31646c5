/** A connection that says when it is lost. */
interface Connection {
  on(event: 'close', listener: () => void): unknown;
}

/** What is used of ioredis: a `Redis` and a `Cluster` both fit. Bring your own, with the options of your choice. */
export interface RedisClient extends Connection {
  readonly status: string;
  readonly options?: object;
  evalsha(sha: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  eval(lua: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  hgetall(key: string): Promise<unknown>;
  hget(key: string, field: string): Promise<string | null>;
  /** To learn whether fences may be evicted. */
  readonly info?: (section: 'memory') => Promise<unknown>;
  /** For `confirm` only. */
  readonly pipeline?: Pipeline;
}

export type Pipeline = (commands: string[][]) => {
  exec(): Promise<readonly (readonly [Error | null, unknown])[] | null>;
};

/** What a `Cluster` has besides. Its nodes come and go, each with a connection of its own. */
interface ClusterClient {
  nodes(role: 'all'): readonly Connection[];
  on(event: '+node', listener: (node: Connection) => void): unknown;
}

/**
 * Counts how often a connection of a client was lost. ioredis sends unfulfilled commands again after a reconnect
 * (autoResendUnfulfilledCommands; a Cluster: retryDelayOnFailover), and nothing in the answer says so. A command during
 * which the count did not change was executed at most once.
 */
export class ConnectionWatch {
  static readonly #watches = new WeakMap<RedisClient, ConnectionWatch>();
  /** One watch per client, however many stores share it. */
  static of(client: RedisClient): ConnectionWatch {
    let watch = ConnectionWatch.#watches.get(client);
    if (watch === undefined) ConnectionWatch.#watches.set(client, (watch = new ConnectionWatch(client)));
    return watch;
  }

  #losses = 0;
  readonly #listeners = new Set<() => void>();
  readonly #abandons: boolean;

  private constructor(client: RedisClient) {
    this.#abandons = abandonsCommands(client);
    this.#follow(client);
    if (!isCluster(client)) return;
    for (const node of client.nodes('all')) this.#follow(node);
    client.on('+node', (node) => this.#follow(node));
  }

  get losses(): number {
    return this.#losses;
  }

  /** The answer, or an error at the next loss when ioredis would leave it open then. */
  orLoss<T>(answer: Promise<T>): Promise<T> {
    if (!this.#abandons) return answer;
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error('the connection was lost'));
      this.#listeners.add(lost);
      answer.then(resolve, reject).finally(() => this.#listeners.delete(lost));
    });
  }

  #follow(connection: Connection): void {
    connection.on('close', () => {
      this.#losses++;
      for (const listener of this.#listeners) listener();
    });
  }
}

export const isCluster = (client: RedisClient): client is RedisClient & ClusterClient => 'nodes' in client;

/** Told not to send again, ioredis leaves the promise of a command open for ever when its connection is lost. */
const abandonsCommands = ({ options }: RedisClient): boolean =>
  (options as { autoResendUnfulfilledCommands?: boolean } | undefined)?.autoResendUnfulfilledCommands ===
  false;
