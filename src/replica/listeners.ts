/** Those who want to hear of something; each call of `add` is undone by the function it returns. */
export class Listeners<Arguments extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: Arguments) => void>();

  add(listener: (...args: Arguments) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  tell(...args: Arguments): void {
    for (const listener of this.#listeners) listener(...args);
  }
}
