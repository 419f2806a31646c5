import type { HardRecord, PersistId, ProposalId } from '../paxos/index.js';

/** How far a command has come at its leader, in this order; `durable` (on the leader's disk) may come after the others. */
export type CommandStage = 'proposed' | 'durable' | 'chosen' | 'applied';

/** Somebody wants to know when a command came how far. */
export interface CommandTrace {
  reached(stage: CommandStage): void;
}

interface Traced {
  readonly trace: CommandTrace;
  readonly payload: Uint8Array;
}

/** Those of the commands of a shard that somebody traces. While there are none, each call is one comparison. */
export class CommandTraces {
  readonly #all = new Map<ProposalId, Traced>();
  readonly #writing = new Map<PersistId, readonly Traced[]>();

  begin(id: ProposalId, payload: Uint8Array, trace: CommandTrace): void {
    this.#all.set(id, { trace, payload });
  }
  proposed(proposals: readonly { readonly id: ProposalId }[]): void {
    if (this.#all.size === 0) return;
    for (const { id } of proposals) this.#all.get(id)?.trace.reached('proposed');
  }
  /** These records are on their way to the disk. */
  writing(id: PersistId, records: readonly HardRecord[]): void {
    if (this.#all.size === 0) return;
    const payloads = new Set<Uint8Array>();
    for (const record of records)
      if (record.kind === 'accepted')
        for (const entry of record.entries) if (entry.kind === 'command') payloads.add(entry.payload);
    const traces = [...this.#all.values()].filter(({ payload }) => payloads.has(payload));
    if (traces.length > 0) this.#writing.set(id, traces);
  }
  durable(id: PersistId): void {
    if (this.#writing.size === 0) return;
    for (const { trace } of this.#writing.get(id) ?? []) trace.reached('durable');
    this.#writing.delete(id);
  }
  chosen(proposals: readonly (ProposalId | undefined)[]): void {
    if (this.#all.size === 0) return;
    for (const id of proposals) if (id !== undefined) this.#all.get(id)?.trace.reached('chosen');
  }
  ended(id: ProposalId, applied: boolean): void {
    if (this.#all.size === 0) return;
    if (applied) this.#all.get(id)?.trace.reached('applied');
    this.#all.delete(id);
  }
}
