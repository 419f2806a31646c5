import type { Effect, Input, Message } from '../../../src/paxos/index.js';
import { tellEffects, tellInput } from './story.js';

/** A few steps between two lines of the story would only tear it apart. */
const QUIET_STEPS_MIN = 6;

export const isBeat = (message: Message): boolean =>
  message.kind === 'heartbeat' || message.kind === 'heartbeatReply';

/** The lines of a trace. Steps that only carry heartbeats are counted, not told. */
export class Telling {
  readonly #lines: string[];
  readonly #now: () => number;
  #quietSteps = 0;
  #muted = false;

  constructor(title: string, now: () => number) {
    this.#lines = [title, '='.repeat(title.length)];
    this.#now = now;
  }

  /** A sentence of the story. */
  say(sentence: string): void {
    this.#settleQuiet();
    if (!this.#muted) this.#lines.push('', `# ${sentence}`);
  }

  mute(muted: boolean): void {
    this.#settleQuiet();
    this.#muted = muted;
  }

  /** A line that no step tells. */
  note(line: string): void {
    this.#lines.push(line);
  }

  /** Something that replica `id` did or suffered. */
  tell(id: number, what: string): void {
    this.#settleQuiet();
    if (!this.#muted) this.#lines.push(`${String(this.#now()).padStart(5)}  r${id}  ${what}`);
  }

  tellStep(id: number, input: Input, effects: readonly Effect[]): void {
    const routine =
      input.kind === 'tick' ||
      input.kind === 'applied' ||
      (input.kind === 'message' && isBeat(input.message));
    const beats = effects.every((effect) => effect.kind === 'send' && isBeat(effect.message));
    if (routine && beats) {
      if (input.kind !== 'applied') this.#quietSteps++;
      return;
    }
    this.tell(id, tellInput(input));
    if (!this.#muted) for (const line of tellEffects(effects)) this.#lines.push(`            ${line}`);
  }

  text(): string {
    this.#settleQuiet();
    return `${this.#lines.join('\n')}\n`;
  }

  #settleQuiet(): void {
    if (this.#quietSteps < QUIET_STEPS_MIN) return;
    if (!this.#muted) this.#lines.push(`       ..  ${this.#quietSteps} steps of heartbeats and ticks`);
    this.#quietSteps = 0;
  }
}
