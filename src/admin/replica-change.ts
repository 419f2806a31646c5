/** What the body of a request asks for. */

import { type ReplicaId, replicaId } from '../kernel/index.js';
import type { NewReplica, ReplicaChange } from '../replica/index.js';

const EXAMPLE =
  'Send JSON such as {"replace": [3]} or {"add": [{"id": 4, "host": "10.0.0.4", "peerPort": 9192, "kafkaPort": 9092, "httpPort": 8080}], ' +
  '"remove": [2]}; with "execute": true it is done, else it is only shown. "quorums" is as in the settings. ' +
  '"instead": true makes the change in the place of a plan that seals, and {"back": true} alone leads back from it.';

/** A text: what is wrong with it. */
export function changeOf(
  body: unknown,
): { readonly change: ReplicaChange; readonly execute: boolean } | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return EXAMPLE;
  const {
    add,
    remove,
    replace,
    promote,
    quorums,
    instead = false,
    back = false,
    execute = false,
    ...rest
  } = body as Record<string, unknown>;
  const [removed, replaced, promoted] = [idsOf(remove), idsOf(replace), idsOf(promote)];
  const added = addedOf(add);
  if (removed === undefined || replaced === undefined || promoted === undefined || added === undefined)
    return EXAMPLE;
  if (typeof instead !== 'boolean' || typeof back !== 'boolean') return EXAMPLE;
  if (typeof execute !== 'boolean' || Object.keys(rest).length > 0) return EXAMPLE;
  if (quorums !== undefined && !isQuorums(quorums)) return EXAMPLE;
  return {
    change: { add: added, remove: removed, replace: replaced, promote: promoted, quorums, instead, back },
    execute,
  };
}

function idsOf(value: unknown): readonly ReplicaId[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isId)) return undefined;
  return value.map((id) => replicaId(id));
}

function addedOf(value: unknown): readonly NewReplica[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const added: NewReplica[] = [];
  for (const each of value as unknown[]) {
    if (typeof each !== 'object' || each === null) return undefined;
    const { id, host, peerPort, kafkaHost = host, kafkaPort, httpPort } = each as Record<string, unknown>;
    if (!isId(id) || !isHost(host) || !isHost(kafkaHost) || !isPort(peerPort) || !isPort(kafkaPort))
      return undefined;
    if (httpPort !== undefined && !isPort(httpPort)) return undefined;
    added.push({
      id: replicaId(id),
      peer: { host, port: peerPort },
      kafka: { host: kafkaHost, port: kafkaPort },
      http: httpPort === undefined ? null : { host, port: httpPort },
    });
  }
  return added;
}

/** Of those that an identity can hold. */
const REPLICA_ID_MAX = 2 ** 31 - 2 ** 20 - 1;
const isId = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= REPLICA_ID_MAX;
const isPort = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
const isHost = (value: unknown): value is string => typeof value === 'string' && /^[^\s@/]+$/.test(value);

type Quorums = NonNullable<ReplicaChange['quorums']>;
/** Its shape; whether it fits the replicas is for the plan to say. */
function isQuorums(value: unknown): value is Quorums {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, prepare, accept, rows, weights } = value as Record<string, unknown>;
  const sizes = Number.isSafeInteger(prepare) && Number.isSafeInteger(accept);
  switch (kind) {
    case 'majority':
      return true;
    case 'flexible':
      return sizes;
    case 'grid':
      return Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.every(isId));
    case 'weighted':
      return (
        sizes &&
        typeof weights === 'object' &&
        weights !== null &&
        Object.entries(weights).every(
          ([id, weight]) => isId(Number(id)) && Number.isSafeInteger(weight) && weight >= 0,
        )
      );
    default:
      return false;
  }
}
