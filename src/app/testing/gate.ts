/** What may wait for a paused replica; a message beyond it is lost. */
const HELD_MAX = 100_000;

/** Everything that a replica of a test cluster does passes its gate: held while it is paused, dropped once it is killed. */
export class Gate {
  #state: 'open' | 'held' | 'shut' = 'open';
  #held: (() => void)[] = [];

  get open(): boolean {
    return this.#state === 'open';
  }
  run(action: () => void): void {
    if (this.#state === 'open') action();
    else if (this.#state === 'held' && this.#held.length < HELD_MAX) this.#held.push(action);
  }
  hold(): void {
    if (this.#state === 'open') this.#state = 'held';
  }
  /** Runs in order what waited. */
  release(): void {
    if (this.#state !== 'held') return;
    this.#state = 'open';
    for (const action of this.#held.splice(0)) this.run(action);
  }
  shut(): void {
    this.#state = 'shut';
    this.#held = [];
  }
}
