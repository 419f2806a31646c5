import { describe, expect, it } from '@jest/globals';
import { cutToString, fitsString, WireReader, WireWriter } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';
import { commitOf, joinOf } from './requests.js';
import type { TestClient } from './client.js';

const INVALID_GROUP_ID = 24;
/** What was sent as 12,000 bytes 0xFF is read as 12,000 times U+FFFD: 36,000 bytes when it is written. */
const MANGLED = 'x'.repeat(12_000);
function mangling(kafka: TestClient): TestClient {
  const send = kafka.send.bind(kafka);
  kafka.send = (bytes) => send(Buffer.from(bytes.map((byte) => (byte === 0x78 ? 0xff : byte))));
  return kafka;
}

describe('names that grow when they are written back', () => {
  it('are no group ids: nothing is stored that could not be listed', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = mangling(await client());
    expect((await kafka.call(11, 5, joinOf(MANGLED))).errorCode).toBe(INVALID_GROUP_ID);
    const { topics } = await kafka.call(8, 7, commitOf(MANGLED, 'tenants', 1));
    expect(topics[0]!.partitions[0]!.errorCode).toBe(INVALID_GROUP_ID);
    expect(coordinator.commands).toEqual([]);
  });

  it('do not end the connection where an answer repeats them', async () => {
    const { client } = await bench();
    const kafka = mangling(await client());
    for (const version of [0, 5]) {
      const { groups } = await kafka.call(15, version, { groups: [MANGLED] });
      expect(groups[0]!.groupId).toBe('\ufffd'.repeat(10_922));
    }
    expect((await kafka.call(42, 1, { groupsNames: [MANGLED] })).results).toHaveLength(1);
    expect((await kafka.call(10, 4, { coordinatorKeys: [MANGLED] })).coordinators).toHaveLength(1);
  });

  it('a client id of the greatest length still makes a member id that can be sent', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    const frame = kafka.frame.bind(kafka);
    kafka.frame = (key, version, request) => frame(key, version, request, 'c'.repeat(32_767));
    const { memberId } = await kafka.call(11, 5, joinOf('g', { memberId: '' }));
    const [join] = coordinator.commandsOf('group.join');
    expect(memberId).toBe(join!.newMemberId);
    expect(Buffer.byteLength(memberId)).toBe(32_767);
    expect(join!.newMemberId).toMatch(/^c+-[0-9a-f-]{36}$/);
  });

  it('are cut between characters', () => {
    for (const text of [
      'a'.repeat(40_000),
      '\u00e4'.repeat(20_000),
      '\u6f22'.repeat(12_000),
      '\u{1f642}'.repeat(9_000),
    ]) {
      expect(fitsString(text)).toBe(false);
      const cut = cutToString(text);
      expect(text.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeGreaterThan(32_767 - 4);
      expect(fitsString(cut)).toBe(true);
      const writer = new WireWriter();
      writer.string(text, false);
      expect(new WireReader(writer.copy()).string(false)).toBe(cut);
    }
    expect(cutToString('orders')).toBe('orders');
  });
});

describe('LeaveGroup of a group that is not there', () => {
  it('is no error from v3 on, and each member is unknown', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = ({ kind }) =>
      kind === 'group.leave' ? { kind: 'leave', error: 'UNKNOWN_MEMBER_ID', members: [] } : undefined;
    const kafka = await client();
    expect((await kafka.call(13, 1, { groupId: 'gone', memberId: 'm-1' })).errorCode).toBe(25);
    const members = [
      { memberId: 'm-1', groupInstanceId: null },
      { memberId: '', groupInstanceId: 'i-1' },
    ];
    expect(await kafka.call(13, 4, { groupId: 'gone', members })).toMatchObject({
      errorCode: 0,
      members: members.map((member) => ({ ...member, errorCode: 25 })),
    });
  });
});
