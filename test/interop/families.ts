import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../harness/cluster.js';
import {
  type CommittingMember,
  confluentKafka,
  type ForeignClient,
  kafkajs,
  PYTHON,
  type Scene,
  scripted,
  works,
} from './clients.js';

const MEMBERS = join(ROOT, 'test/interop/members');
const GO_MEMBER = process.env['QUORATE_TEST_GO_MEMBER'] ?? 'quorate-go-member';
const JARS = process.env['QUORATE_TEST_KAFKA_JARS'] ?? '';

/** A client with one of its assignors. */
export interface Family extends ForeignClient {
  readonly assignor: string;
  start(scene: Scene, name: string): CommittingMember;
}

const arguments_ = ({ brokers, group, topic }: Scene, name: string): string[] => [
  brokers,
  group,
  topic,
  name,
];

function python(title: string, module: string, script: string, assignor: string): Family {
  return {
    title,
    assignor,
    missing: works(PYTHON, ['-c', `import ${module}`])
      ? undefined
      : `pip install ${title}, and name its python in QUORATE_TEST_PYTHON`,
    start: (scene, name) =>
      scripted(name, PYTHON, [join(MEMBERS, script), ...arguments_(scene, name), assignor]),
  };
}
function go(title: string, client: string, assignor: string): Family {
  return {
    title,
    assignor,
    missing: existsSync(GO_MEMBER)
      ? undefined
      : 'go build in test/interop/members/go, and name the binary in QUORATE_TEST_GO_MEMBER',
    start: (scene, name) => scripted(name, GO_MEMBER, [client, ...arguments_(scene, name)]),
  };
}
function java(assignor: string): Family {
  return {
    title: 'Java kafka-clients',
    assignor,
    missing:
      JARS !== '' && works('java', ['--version'])
        ? undefined
        : 'install Java 17, and name the folder with kafka-clients and what it needs in QUORATE_TEST_KAFKA_JARS',
    start: (scene, name) =>
      scripted(name, 'java', [
        '-XX:TieredStopAtLevel=1',
        '-cp',
        `${JARS}/*`,
        join(MEMBERS, 'java/Member.java'),
        ...arguments_(scene, name),
        assignor,
      ]),
  };
}

export const FAMILIES: readonly Family[] = [
  { ...kafkajs, assignor: 'RoundRobinAssigner' },
  { ...confluentKafka, assignor: 'range' },
  python('kafka-python', 'kafka', 'kafka_python_member.py', 'range'),
  python('kafka-python', 'kafka', 'kafka_python_member.py', 'cooperative-sticky'),
  python('aiokafka', 'aiokafka', 'aiokafka_member.py', 'range'),
  go('franz-go', 'franz-eager', 'range'),
  go('franz-go', 'franz-cooperative', 'cooperative-sticky'),
  go('sarama', 'sarama', 'range'),
  go('kafka-go', 'kafka-go', 'range'),
  java('range'),
  java('cooperative-sticky'),
];
