import { describe, expect, it } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { commonProtocol, decodeIntroduction, encodeIntroduction } from '../../../src/transport/index.js';
import { eventually } from '../../harness/waiting.js';
import { HELLO, MESSAGE, rawIntroduction, REFUSED } from './raw-peer.js';
import { calledReplica, helloOf, introductionOf, linkedPair, pair } from './transport-bench.js';

const FIRST = { min: 1, max: 1 };
const BOTH = { min: 1, max: 2 };
const LATER = { min: 2, max: 3 };
const NOT_COMMON =
  /replica \d speaks .* of the replicas' protocol, replica \d .*: upgrade replica \d to a build that speaks version 2/;

it.each([
  [FIRST, FIRST, 1],
  [FIRST, BOTH, 1],
  [BOTH, BOTH, 2],
  [BOTH, LATER, 2],
  [LATER, { min: 3, max: 9 }, 3],
  [FIRST, LATER, undefined],
])('%j and %j have %j', (one, other, common) => {
  expect(commonProtocol(one, other)).toBe(common);
  expect(commonProtocol(other, one)).toBe(common);
});

describe('two builds', () => {
  it.each([
    ['of the first version', FIRST, FIRST, 1],
    ['of which the called one speaks more', BOTH, FIRST, 1],
    ['of which the calling one speaks more', FIRST, BOTH, 1],
    ['that both speak more', BOTH, BOTH, 2],
    ['that overlap', LATER, BOTH, 2],
  ])('%s speak the highest version that both know', async (_, called, caller, common) => {
    const { one, two } = await linkedPair({ called: { protocols: called }, caller: { protocols: caller } });
    expect(one.transport.protocolWith!(replicaId(2))).toBe(common);
    expect(two.transport.protocolWith!(replicaId(1))).toBe(common);
    // Said again, the introduction changes nothing.
    two.hello = helloOf(2, { position: 7 });
    two.transport.helloChanged();
    await eventually('the new hello', 30_000, () => one.count('up') === 2, 1);
    expect(one.transport.protocolWith!(replicaId(2))).toBe(common);
    two.send(1, 'hello');
    await eventually('the message', 30_000, () => one.messages.length === 1, 1);
  });

  it.each([
    ['the called one is older', FIRST, LATER],
    ['the calling one is older', LATER, FIRST],
  ])('without a common version get no link, and both say why: %s', async (_, called, caller) => {
    const { one, two } = await pair({ called: { protocols: called }, caller: { protocols: caller } });
    const older = called === FIRST ? 1 : 2;
    for (const [each, peer] of [
      [one, 2],
      [two, 1],
    ] as const) {
      const line = await each.logged(`upgrade replica ${older} to a build that speaks version 2`);
      expect(line).toMatch(/^warn/);
      expect(line).toMatch(NOT_COMMON);
      for (const versions of ['version 1', 'versions 2 to 3']) expect(line).toContain(versions);
      expect(each.transport.problemWith!(replicaId(peer))).toMatch(NOT_COMMON);
      expect(each.transport.protocolWith!(replicaId(peer))).toBeUndefined();
      expect(each.events).toEqual([]);
    }
  });
});

describe('beside a build from before ranges', () => {
  it('that calls, the first version is spoken', async () => {
    const { one, call } = await calledReplica({ protocols: BOTH });
    const peer = await call(introductionOf(2, 1));
    await one.up();
    expect(one.transport.protocolWith!(replicaId(2))).toBe(1);
    peer.send(MESSAGE, Buffer.from('as before'));
    await eventually('the message', 30_000, () => one.messages.length === 1, 1);
    await eventually('an introduction', 30_000, () => peer.of(HELLO).length === 1, 1);
    // Magic number and version, as it checks them.
    expect(peer.of(HELLO)[0]!.subarray(0, 8).toString('hex')).toBe('514f524500000001');
  });

  it('it reads the lowest version where it expects its own', () => {
    const bytes = Buffer.from(encodeIntroduction(replicaId(1), helloOf(2), LATER));
    expect(bytes.readUInt32BE(4)).toBe(2);
  });

  it('nothing is added while one version is spoken', () => {
    const hello = helloOf(2);
    expect(Buffer.from(encodeIntroduction(replicaId(1), hello)).equals(introductionOf(2, 1))).toBe(true);
    expect(decodeIntroduction(introductionOf(2, 1)).protocols).toEqual(FIRST);
  });
});

it.each([
  ['is none', { min: 1 }],
  ['is upside down', { min: 1, max: 0 }],
  ['differs from the version in front', { min: 0, max: 4 }],
])('a range that %s is refused as broken', async (_, protocols) => {
  const { one, call } = await calledReplica();
  const json = JSON.stringify({ ...helloOf(2), protocols });
  const peer = await call(rawIntroduction({ self: 2, target: 1, json }));
  await eventually('the end', 30_000, () => peer.isClosed, 1);
  expect(String(peer.of(REFUSED)[0])).toMatch(/does not speak the replicas' protocol/);
  expect(one.events).toEqual([]);
});
