import { describe, expect, it } from '@jest/globals';
import { memberId } from '../../../src/kernel/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { type Bench, bench } from './broker-bench.js';
import { until } from './client.js';
import { joinAnswer } from './fake-coordinator.js';
import { joinOf } from './requests.js';

/** A replica that hands out an id to who has none. */
function handsOut({ coordinator }: Bench): void {
  coordinator.onCommand = (command) => {
    if (command.kind !== 'group.join' || command.memberId !== '') return undefined;
    coordinator.issued.set(`${command.group}/${command.newMemberId}`, coordinator.commands.length);
    return { kind: 'join', answer: joinAnswer(command.newMemberId, { error: 'MEMBER_ID_REQUIRED' }) };
  };
}
const closed = async ({ broker }: Bench): Promise<void> =>
  until(() => broker.snapshot().connectionsOpen === 0);

describe('an id that was handed out', () => {
  it('goes with its connection, named by the token of its timer', async () => {
    const made = await bench();
    handsOut(made);
    const kafka = await made.client();
    const { errorCode: code, memberId: id } = await kafka.call(11, 5, joinOf('billing'));
    expect(code).toBe(errorCode('MEMBER_ID_REQUIRED'));
    expect(made.coordinator.commandsOf('group.expire')).toEqual([]);
    await kafka.close();
    await closed(made);
    const token = made.coordinator.issued.get(`billing/${id}`)!;
    const timer = { kind: 'pending', member: memberId(id) };
    expect(made.coordinator.commandsOf('group.expire')).toEqual([
      { kind: 'group.expire', group: 'billing', timer, token },
    ]);
  });

  it('stays when its client has joined with it, over whichever connection', async () => {
    const made = await bench();
    handsOut(made);
    const [first, second] = [await made.client(), await made.client()];
    const own = await first.call(11, 5, joinOf('billing'));
    await first.call(11, 5, joinOf('billing', { memberId: own.memberId }));
    const other = await first.call(11, 5, joinOf('billing'));
    await second.call(11, 5, joinOf('billing', { memberId: other.memberId }));
    made.coordinator.issued.clear();
    await first.close();
    await second.close();
    await closed(made);
    expect(made.coordinator.commandsOf('group.expire')).toEqual([]);
  });

  it('a client that asks again and again keeps a bounded number of them', async () => {
    const made = await bench();
    handsOut(made);
    const kafka = await made.client();
    for (let i = 0; i < 105; i++) await kafka.call(11, 5, joinOf('billing'));
    expect(made.coordinator.commandsOf('group.expire')).toHaveLength(5);
    await kafka.close();
    await closed(made);
    expect(made.coordinator.commandsOf('group.expire')).toHaveLength(105);
  });
});
