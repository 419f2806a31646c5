import { type ClientSurroundings, found, newCommits, repeatedly } from './clients.js';
import { errorNamed, KafkaClient } from './kafka-client.js';

/**
 * Commits over Kafka's protocol, where an answer other than success leaves open what happened, and reads back. `strays`: half
 * of its requests go to any broker, which must refuse what only the coordinator may do: what it grants instead counts.
 */
export function kafkaCommitter(around: ClientSurroundings, name: string, strays = false): void {
  const { random, history, trace } = around;
  const client = new KafkaClient(name, around);
  const stray = new KafkaClient(`${name} astray`, around);
  const { commits, open, tries, ends } = newCommits(around, name);
  const goesAstray = (): boolean => {
    if (!strays || !random.chance(0.5)) return false;
    trace.reached('a stray client asked');
    return true;
  };
  const fetches = (done: () => void): void => {
    const atLeast = commits.acknowledged;
    const topics = [{ name: commits.topic, partitionIndexes: [0] }];
    const request = [9, 8, { groups: [{ groupId: name, topics }] }] as const;
    const end: Parameters<typeof client.askAny<9>>[1] = (answer) => {
      const group = answer?.groups[0];
      const partition = group?.topics[0]?.partitions[0];
      if (group?.errorCode !== 0 || partition?.errorCode !== 0) client.forgetCoordinator();
      else found(around, commits, open, atLeast, Number(partition.committedOffset));
      done();
    };
    if (goesAstray()) stray.askAny(request, end);
    else client.askCoordinator(name, request, end);
  };
  const commit = (done: () => void): void => {
    const offset = tries();
    const partition = { partitionIndex: 0, committedOffset: offset, committedMetadata: '' };
    const topics = [{ name: commits.topic, partitions: [partition] }];
    const request = [8, 7, { groupId: name, memberId: '', topics }] as const;
    const end: Parameters<typeof client.askAny<8>>[1] = (answer) => {
      const error = errorNamed(answer?.topics[0]?.partitions[0]?.errorCode);
      if (error === undefined) client.forgetCoordinator();
      ends(offset, error === 'NONE' ? 'taken' : (error ?? 'not answered'), error !== undefined);
      done();
    };
    if (goesAstray()) stray.askAny(request, end);
    else client.askCoordinator(name, request, end);
  };
  repeatedly(
    around,
    (any) => any,
    (_, done) => (random.chance(0.4) ? fetches(done) : commit(done)),
    () => {
      client.leave();
      stray.leave();
    },
  );
  history.commits.push(commits);
}
