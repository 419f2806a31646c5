import { topicId, type TopicName } from '../kernel/index.js';
import { type Topic, topicCountProblem, topicNameProblem } from '../machine/index.js';
import type { Coordinator } from '../replica/index.js';
import type { ErrorName } from '../wire/index.js';
import { FACTS, type ClusterFacts } from './cluster-facts.js';
import type { BrokerSettings } from './settings.js';

type CreationOutcome =
  | { readonly kind: 'created'; readonly topic: Topic }
  | { readonly kind: 'failed'; readonly error: ErrorName };

/** Kafka's own topics: clients look for them, nobody means to make them (sarama does so after an error 15). */
const KAFKAS_OWN = /^__/;

/** Makes topics that a client asked for in Metadata. Several that ask for the same one at once share one command. */
export class TopicCreation {
  readonly #coordinator: Coordinator;
  readonly #facts: ClusterFacts;
  readonly #settings: BrokerSettings;
  readonly #underWay = new Map<TopicName, ((outcome: CreationOutcome) => void)[]>();

  constructor(coordinator: Coordinator, facts: ClusterFacts, settings: BrokerSettings) {
    this.#coordinator = coordinator;
    this.#facts = facts;
    this.#settings = settings;
  }

  allows(name: TopicName): boolean {
    return this.#settings.autoCreateTopics.enabled && !KAFKAS_OWN.test(name);
  }

  create(name: TopicName, done: (outcome: CreationOutcome) => void): void {
    if (topicNameProblem(name) !== undefined)
      return done({ kind: 'failed', error: 'INVALID_TOPIC_EXCEPTION' });
    const { topics } = this.#facts;
    if (topics.byName(name) === undefined && topicCountProblem(topics.size, this.#settings.topicsMax))
      return done({ kind: 'failed', error: 'POLICY_VIOLATION' });
    const others = this.#underWay.get(name);
    if (others !== undefined) {
      others.push(done);
      return;
    }
    const askers = [done];
    this.#underWay.set(name, askers);
    const { topicPartitionsMax: partitionsMax, autoCreateTopics } = this.#settings;
    this.#coordinator.submitAnywhere(
      FACTS,
      {
        kind: 'topic.create',
        name,
        newId: topicId(this.#coordinator.uuid()),
        partitions: autoCreateTopics.partitions,
        partitionsMax,
      },
      (outcome) => {
        this.#underWay.delete(name);
        const topic = outcome.kind === 'ok' ? outcome.reply.topic : null;
        // Someone else was faster: what is applied here may know the topic already; if not, the client asks again.
        const known = topic ?? this.#facts.topics.byName(name);
        const result: CreationOutcome =
          known === undefined
            ? { kind: 'failed', error: 'LEADER_NOT_AVAILABLE' }
            : { kind: 'created', topic: known };
        for (const asker of askers) asker(result);
      },
    );
  }
}
