import { z } from 'zod';
import { replicaId } from '../kernel/index.js';
import type { QuorumDescription } from '../paxos/index.js';

const id = z.number().int().transform(replicaId);
const needed = z.number().int().min(1);

/** The setting `quorums`. Whether it fits the replicas is seen when both are known (configuration.ts). */
export const quorumsSchema: z.ZodType<QuorumDescription> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('majority') }),
  z.strictObject({ kind: z.literal('flexible'), prepare: needed, accept: needed }),
  z.strictObject({ kind: z.literal('grid'), rows: z.array(z.array(id).min(1)).min(1) }),
  z.strictObject({
    kind: z.literal('weighted'),
    weights: z.record(z.string().regex(/^[0-9]+$/), z.number().int().min(0)),
    prepare: needed,
    accept: needed,
  }),
]);

/** QUORATE_QUORUMS: JSON, or `majority`. Other text is passed on, and refused as it is. */
export function quorumsFromText(text: string): unknown {
  if (text === 'majority') return { kind: 'majority' };
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
