import { expect, it } from '@jest/globals';
import { shardId } from '../../../src/kernel/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';

const commit = (name: string) => ({
  groupId: 'billing',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  topics: [{ name, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }] }],
});

it('a commit for a topic that was made a moment ago waits until this replica has heard of it', async () => {
  const { client, coordinator } = await bench();
  const kafka = await client();
  const asked: number[] = [];
  coordinator.readAnywhere = (shard, done) => {
    asked.push(shard);
    if (asked.length === 1) coordinator.addTopic('new', 1);
    done({ kind: 'ok', view: coordinator.peek(shard) });
  };
  const codeOf = async (name: string): Promise<number | undefined> => {
    const { topics } = await kafka.call(8, 7, commit(name));
    return topics[0]?.partitions[0]?.errorCode;
  };
  expect(await codeOf('new')).toBe(errorCode('NONE'));
  expect(await codeOf('new')).toBe(errorCode('NONE'));
  expect(await codeOf('missing')).toBe(errorCode('UNKNOWN_TOPIC_OR_PARTITION'));
  expect(asked).toEqual([shardId(0), shardId(0)]);
});
