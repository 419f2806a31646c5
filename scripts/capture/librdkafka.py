"""What librdkafka can say to a coordinator, each thing once: members of a group, commits, and all of its admin client that
is answered here. Prints what did not work; refusals are answers too.
"""
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

BOOTSTRAP = sys.argv[1]
TOPIC = "tenants"
GROUP = "billing"
COMMON = {"bootstrap.servers": BOOTSTRAP, "client.id": "capture"}
admin = AdminClient(COMMON)


def attempt(what, act):
    try:
        return act()
    except Exception as error:
        print(f"  {what}: {error}", flush=True)
        return None


def settle(what, futures):
    if not isinstance(futures, dict):
        return attempt(what, lambda: futures.result(10))
    for future in futures.values():
        attempt(what, lambda: future.result(10))


settle("creating", admin.create_topics([NewTopic(TOPIC, 3)]))
settle("a topic twice", admin.create_topics([NewTopic(TOPIC, 3)]))
settle("adding partitions", admin.create_partitions([NewPartitions(TOPIC, 4)]))
admin.list_topics(timeout=10)
settle("topics", admin.describe_topics(TopicCollection([TOPIC])))
settle("cluster", admin.describe_cluster(include_authorized_operations=False))
settle("configs", admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]))
settle(
    "altering configs",
    admin.incremental_alter_configs(
        [
            ConfigResource(
                ResourceType.TOPIC,
                TOPIC,
                incremental_configs=[
                    ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
                ],
            )
        ]
    ),
)


def member(**more):
    consumer = Consumer(
        {
            **COMMON,
            "group.id": GROUP,
            "session.timeout.ms": 3000,
            "heartbeat.interval.ms": 100,
            "fetch.wait.max.ms": 200,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **more,
        }
    )
    consumer.subscribe([TOPIC])
    return consumer


def poll_all(consumers, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for consumer in consumers:
            consumer.poll(0.05)


first = member()
poll_all([first], 2)
commit = [TopicPartition(TOPIC, 0, 41, metadata="a note"), TopicPartition(TOPIC, 1, 7)]
attempt("committing", lambda: first.commit(offsets=commit, asynchronous=False))
attempt("committed", lambda: first.committed([TopicPartition(TOPIC, p) for p in range(4)], timeout=10))
attempt("ends", lambda: first.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10))
attempt("times", lambda: first.offsets_for_times([TopicPartition(TOPIC, 0, 1_700_000_000_000)], timeout=10))
second = member(**{"group.instance.id": "worker-2"})
poll_all([first, second], 3)
settle("groups", admin.list_consumer_groups())
settle("group", admin.describe_consumer_groups([GROUP]))
settle("offsets", admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)]))
some = [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 3)]
settle("some offsets", admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, some)]))
settle(
    "ends",
    admin.list_offsets(
        {TopicPartition(TOPIC, 0): OffsetSpec.latest(), TopicPartition(TOPIC, 1): OffsetSpec.earliest()},
        isolation_level=IsolationLevel.READ_COMMITTED,
    ),
)
settle("deleting a group with members", admin.delete_consumer_groups([GROUP]))
second.close()
poll_all([first], 1)
first.close()

third = member(**{"partition.assignment.strategy": "cooperative-sticky", "isolation.level": "read_committed"})
poll_all([third], 1.5)
third.close()
# A static member does not leave on close: the group is empty when its session is over.
time.sleep(3.5)
reset = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPIC, 0, 5)])
settle("resetting", admin.alter_consumer_group_offsets([reset]))

producer = Producer({**COMMON, "message.timeout.ms": 1500})
producer.produce(TOPIC, b"v", on_delivery=lambda error, _: print(f"  producing: {error}", flush=True))
producer.flush(5)

settle("deleting the group", admin.delete_consumer_groups([GROUP]))
settle("deleting the topic", admin.delete_topics([TOPIC]))
