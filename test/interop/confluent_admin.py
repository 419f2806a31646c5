"""What confluent-kafka's AdminClient sees and changes, as one JSON object: brokers, group and topic are arguments."""
import json
import sys
import time

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, OffsetSpec, ResourceType

brokers, group, topic = sys.argv[1:4]
admin = AdminClient({"bootstrap.servers": brokers})
WITHIN = 30


def only(futures):
    return next(iter(futures.values())).result(WITHIN)


def committed():
    answer = only(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    return {each.partition: each.offset for each in answer.topic_partitions}


def ends(partitions):
    wanted = {TopicPartition(topic, each): OffsetSpec.latest() for each in partitions}
    return {at.partition: future.result(WITHIN).offset for at, future in admin.list_offsets(wanted).items()}


found = {}
listed = admin.list_consumer_groups().result(WITHIN)
found["groups"] = [each.group_id for each in listed.valid]
found["errors"] = [str(each) for each in listed.errors]
described = only(admin.describe_consumer_groups([group]))
found["state"] = described.state.name
found["members"] = len(described.members)
found["offsets"] = committed()
found["ends"] = ends(found["offsets"])
altered = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 25)])
only(admin.alter_consumer_group_offsets([altered]))
found["altered"] = committed()
found["endsAfter"] = ends(found["offsets"])
only(admin.create_partitions([NewPartitions(topic, 5)]))
# As with Kafka, the broker that answers Metadata may hear of it a moment later than the one that made them.
end = time.monotonic() + WITHIN
while True:
    found["partitions"] = len(admin.list_topics(topic, timeout=WITHIN).topics[topic].partitions)
    if found["partitions"] == 5 or time.monotonic() > end:
        break
    time.sleep(0.05)
configs = only(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
found["topicConfigs"] = {name: entry.value for name, entry in configs.items()}
only(admin.delete_consumer_groups([group]))
found["groupsAfter"] = [each.group_id for each in admin.list_consumer_groups().result(WITHIN).valid]
print(json.dumps(found))
