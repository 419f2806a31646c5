import {
  assert,
  ByteReader,
  ByteWriter,
  MalformedBytesError,
  type ReplicaId,
  replicaId,
} from '../kernel/index.js';
import {
  commonProtocol,
  isProtocolRange,
  type ProtocolRange,
  PROTOCOLS,
  protocolsText,
} from './protocols.js';
import {
  agreementFound,
  differences,
  disksOf,
  type Hello,
  isMember,
  isQuorums,
  numberOf,
} from '../replica/index.js';

/**
 * The first frame from either end: the sender's id and the id that it wants to reach. A later hello frame updates it.
 * The fields before the JSON never move, so that any two versions can refuse each other with a clear reason. The version there
 * is the lowest that the sender speaks: a build that speaks one version only reads this number. The JSON says the highest.
 */
const MAGIC = 0x514f_5245;

export interface Introduction {
  /** What the sender speaks. */
  readonly protocols: ProtocolRange;
  readonly self: ReplicaId;
  /** The replica that the sender wants to reach. */
  readonly target: number;
  /** Undefined when it cannot be read and no version is common: its encoding is unknown here. */
  readonly hello: Hello | undefined;
}

export function encodeIntroduction(target: ReplicaId, hello: Hello, protocols = PROTOCOLS): Buffer {
  const w = new ByteWriter(512);
  w.u32(MAGIC);
  w.u32(protocols.min);
  w.i32(hello.replicaId);
  w.i32(target);
  // Who speaks one version only does not say so: that is what the number in front says.
  w.string(JSON.stringify(protocols.max === protocols.min ? hello : { ...hello, protocols }));
  return w.view();
}

/** Throws MalformedBytesError when the bytes are not an introduction. `own`: what this end speaks. */
export function decodeIntroduction(bytes: Uint8Array, own = PROTOCOLS): Introduction {
  const r = new ByteReader(bytes);
  if (r.u32() !== MAGIC) throw new MalformedBytesError('an introduction with a wrong magic number');
  const min = r.u32();
  const self = replicaId(r.i32());
  const target = r.i32();
  const alone = { min, max: min };
  try {
    const said = parsed(r.string());
    const protocols = rangeOf(said, alone);
    if (!isHello(said) || said.replicaId !== self)
      throw new MalformedBytesError('an introduction that does not say who it is from');
    return { protocols, self, target, hello: said };
  } catch (error) {
    // A later version may say it in another way. With a common one it is a mistake.
    if (commonProtocol(own, alone) !== undefined || !(error instanceof MalformedBytesError)) throw error;
    return { protocols: alone, self, target, hello: undefined };
  }
}

function rangeOf(said: unknown, alone: ProtocolRange): ProtocolRange {
  if (!isRecord(said) || said['protocols'] === undefined) return alone;
  const { protocols } = said;
  if (!isProtocolRange(protocols) || protocols.min !== alone.min)
    throw new MalformedBytesError(
      `an introduction that says that it speaks ${JSON.stringify(protocols)} and ${protocolsText(alone)}`,
    );
  return { min: protocols.min, max: protocols.max };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedBytesError(`an introduction that cannot be read: ${(error as Error).message}`);
  }
}

/** Checks every field of a Hello from the network, because the replica relies on each. */
function isHello(value: unknown): value is Hello {
  if (!isRecord(value)) return false;
  const {
    clusterId,
    replicaId: id,
    shards,
    incarnation,
    formedWith,
    founded,
    membership,
    agreement,
    restoredFrom,
    featureLevel,
    level,
    position,
    positions,
    leaving,
    peer,
    kafka,
    http,
  } = value;
  return (
    [clusterId, incarnation].every((text) => typeof text === 'string') &&
    [id, shards].every(Number.isInteger) &&
    isTexts(formedWith) &&
    (founded === undefined || isQuorums(founded)) &&
    (membership === undefined || isMembership(membership)) &&
    (peer === undefined || isAddress(peer)) &&
    (agreement === undefined || isTexts(agreement)) &&
    (restoredFrom === undefined || typeof restoredFrom === 'string') &&
    [featureLevel, level, position].every((number) => number === undefined || Number.isInteger(number)) &&
    (positions === undefined || (isRecord(positions) && Object.values(positions).every(Number.isInteger))) &&
    (leaving === undefined || typeof leaving === 'boolean') &&
    isAddress(kafka) &&
    (http === undefined || isAddress(http))
  );
}
function isMembership(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { number, disks, quorums } = value;
  return Number.isInteger(number) && isTexts(disks) && (quorums === undefined || isQuorums(quorums));
}
function isTexts(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}
function isAddress(value: unknown): boolean {
  return isRecord(value) && typeof value['host'] === 'string' && Number.isInteger(value['port']);
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What this end knows of the other before the introduction. */
export interface Expectation {
  /** The replica that this end called; undefined when it was called. */
  readonly called: ReplicaId | undefined;
  readonly peers: { has(id: ReplicaId): boolean };
  /** What this end speaks. */
  readonly protocols?: ProtocolRange | undefined;
  /** What the replica itself has against the other one. */
  readonly refuses?: (hello: Hello) => string | undefined;
}

/** How the refusal ends of a call that found nothing wrong, by a replica that had waited for one. */
export const ONLY_ASKED = 'of two replicas the one with the higher id calls';

/**
 * Why two ends must not talk, and what to do about it; undefined when they may. The text reads the same at both ends:
 * the end that finds the reason sends it to the other.
 */
export function refusal(own: Hello, theirs: Introduction, expectation: Expectation): string | undefined {
  const { hello } = theirs;
  const { called, peers, protocols = PROTOCOLS } = expectation;
  const [us, them] = [`replica ${own.replicaId}`, `replica ${theirs.self}`];
  if (commonProtocol(protocols, theirs.protocols) === undefined)
    return strangers({ name: us, protocols }, { name: them, protocols: theirs.protocols });
  assert(hello !== undefined, 'what speaks a common version of the protocol can be read');
  if (hello.clusterId !== own.clusterId)
    return `${them} belongs to cluster ${hello.clusterId}, ${us} to cluster ${own.clusterId}: correct the peers' addresses or the cluster id`;
  if (theirs.self === own.replicaId)
    return `both ends are ${us}: give each replica an id of its own, and each peer its own address`;
  if (called !== undefined && theirs.self !== called)
    return `${them} answers at the address that ${us} has for replica ${called}: correct the address there`;
  if (theirs.target !== own.replicaId)
    return `${us} answers at the address that ${them} has for replica ${theirs.target}: correct the address there`;
  if (beginsElsewhere(own, hello))
    return `${us} and ${them} do not begin with the same: restore the same backup on every replica of the cluster, with the same --cluster-id and --at`;
  const old = tooOld(own, hello) ?? tooOld(hello, own);
  if (old !== undefined) return old;
  const gone = expectation.refuses?.(hello);
  if (gone !== undefined) return gone;
  const disagree = disagreement(own, hello, us, them);
  if (disagree !== undefined) return disagree;
  if (!peers.has(theirs.self))
    return `${them} is not in the configuration of ${us}: start all replicas with the list that the cluster was first started with, let ${them} join (quorate replicas add), or stop it`;
  if (hello.shards !== own.shards)
    return `${them} has ${hello.shards} shards, ${us} has ${own.shards}: start both with the number that the cluster was first started with`;
  if (called === undefined && theirs.self < own.replicaId) return `${them} called ${us}, and ${ONLY_ASKED}`;
  return undefined;
}

/** Rolled back after the switch. */
function tooOld({ replicaId: id, featureLevel = 1 }: Hello, { level = 1 }: Hello): string | undefined {
  if (featureLevel >= level) return undefined;
  return (
    `the cluster uses feature level ${level}, and replica ${id} knows level ${featureLevel}: upgrade replica ${id}. ` +
    `A rollback was possible until the cluster was told to use level ${level} (quorate upgrade)`
  );
}

interface Speaker {
  readonly name: string;
  readonly protocols: ProtocolRange;
}
/** No version is common. */
function strangers(us: Speaker, them: Speaker): string {
  const [older, newer] = us.protocols.max < them.protocols.min ? [us, them] : [them, us];
  return (
    `${them.name} speaks ${protocolsText(them.protocols)} of the replicas' protocol, ${us.name} ${protocolsText(us.protocols)}: ` +
    `upgrade ${older.name} to a build that speaks version ${newer.protocols.min}`
  );
}

/** Before a cluster has formed, all its replicas begin empty, or with the same backup. */
const beginsElsewhere = (own: Hello, hello: Hello): boolean =>
  [own, hello].every(({ formedWith }) => Object.keys(formedWith).length === 0) &&
  own.restoredFrom !== hello.restoredFrom;

/**
 * Whether the two need not list the same replicas: the cluster has changed them since it was formed, or one of the two has no
 * vote, and the other says that the cluster was formed without it.
 */
function changesReplicas(own: Hello, hello: Hello): boolean {
  if (numberOf(own) > 0 || numberOf(hello) > 0) return true;
  const joins = (one: Hello, other: Hello): boolean =>
    !isMember(one) && isMember(other) && disksOf(other)[one.replicaId] === undefined;
  return joins(own, hello) || joins(hello, own) || isJoiner(own) || isJoiner(hello);
}
/** It belongs to a cluster that was formed without it. */
const isJoiner = (hello: Hello): boolean => {
  const disks = disksOf(hello);
  return Object.keys(disks).length > 0 && disks[hello.replicaId] === undefined;
};

/** A difference in what all replicas must have alike: it could make two quorums that do not meet, or two leases at once. */
function disagreement(own: Hello, hello: Hello, us: string, them: string): string | undefined {
  const joins = changesReplicas(own, hello);
  const found = differences(agreementFound(hello), agreementFound(own)).filter(
    ({ fixed }) => !fixed || !joins,
  );
  if (found.length === 0) return undefined;
  const texts = found.map(({ name, theirs, ours }) => `${name} ${theirs}, ${us} ${ours}`);
  const remedy = found[0]!.fixed
    ? 'start both with what the cluster was first started with'
    : 'start both with the same';
  return `${them} has ${texts.join('; and ')}: ${remedy}`;
}
