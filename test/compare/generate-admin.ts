import type { Action, Writing } from './generate.js';
import { MISSING_TOPIC } from './sequence.js';

const STATES = [
  'Stable',
  'Empty',
  'PreparingRebalance',
  'CompletingRebalance',
  'Dead',
  'stable',
  'nonsense',
  '',
];
const TYPES = ['classic', 'Classic', 'consumer', 'share', 'nonsense'];
const TOPIC_NAMES = ['cmp-a', 'cmp-b', MISSING_TOPIC, 'cmp bad name', 'cmp-..', `cmp-${'x'.repeat(250)}`];

const either = ({ random, group, otherGroup }: Writing): unknown => ({
  $group: random.pick([group, otherGroup]),
});

function describe(writing: Writing): void {
  const { random } = writing;
  const version = writing.version('DescribeGroups');
  const groups = [{ $group: writing.group }, ...(random.chance(0.4) ? [{ $group: writing.otherGroup }] : [])];
  const body = version >= 3 ? { groups, includeAuthorizedOperations: random.chance(0.3) } : { groups };
  writing.ask('admin', 'DescribeGroups', body, [version, version]);
}

function list(writing: Writing): void {
  const { random } = writing;
  const version = writing.version('ListGroups');
  const states = version >= 4 && random.chance(0.5) ? { statesFilter: [random.pick(STATES)] } : {};
  const types = version >= 5 && random.chance(0.4) ? { typesFilter: [random.pick(TYPES)] } : {};
  writing.ask('admin', 'ListGroups', { ...states, ...types }, [version, version]);
}

function deleteGroups(writing: Writing): void {
  const { random } = writing;
  const groupsNames = [either(writing), ...(random.chance(0.2) ? [''] : [])];
  writing.ask('admin', 'DeleteGroups', { groupsNames });
}

function findCoordinator(writing: Writing): void {
  const version = writing.version('FindCoordinator');
  const key = writing.random.chance(0.2) ? '' : either(writing);
  const keyType = writing.random.chance(0.1) ? 9 : 0;
  const typed = version >= 1 ? { keyType } : {};
  const body =
    version >= 4 ? { coordinatorKeys: [key, { $group: writing.group }], ...typed } : { key, ...typed };
  writing.ask('admin', 'FindCoordinator', body, [version, version]);
}

function metadata(writing: Writing): void {
  const { random } = writing;
  const version = writing.version('Metadata');
  const name = random.pick(TOPIC_NAMES);
  const topics = version >= 1 && random.chance(0.3) ? null : [{ name }];
  const more = version >= 4 ? { allowAutoTopicCreation: random.chance(0.5) } : {};
  writing.ask('admin', 'Metadata', { topics, ...more }, [version, version]);
}

function topicsDryRun(writing: Writing): void {
  const { random } = writing;
  const name = random.pick(TOPIC_NAMES);
  const numPartitions = random.pick([1, 3, -1, 0, -2]);
  if (random.chance(0.5)) {
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
    return writing.ask(
      'admin',
      'CreateTopics',
      { topics: [topic], timeoutMs: 5_000, validateOnly: true },
      [4, 7],
    );
  }
  const topic = { name, count: random.pick([0, 1, 3, 4, -1]), assignments: null };
  writing.ask('admin', 'CreatePartitions', { topics: [topic], timeoutMs: 5_000, validateOnly: true });
}

function apiVersions(writing: Writing): void {
  const software = writing.random.pick(['quorate', '', '-bad', 'a b', 'x.y-z']);
  writing.ask('admin', 'ApiVersions', { clientSoftwareName: software, clientSoftwareVersion: '1.0' });
}

export const ADMIN_ACTIONS: readonly Action[] = [
  [3, describe],
  [1.5, list],
  [1, deleteGroups],
  [0.5, findCoordinator],
  [0.5, metadata],
  [0.3, topicsDryRun],
  [0.2, apiVersions],
];
