"""A consumer on kafka-python: BROKERS GROUP TOPIC NAME ASSIGNOR. The commands are those of confluent_member.py."""
import queue
import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from commands import commands, speaker

brokers, group, topic, name, assignor = sys.argv[1:6]
say = speaker(name)
strategies = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}
owned = set()


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        owned.difference_update(part.partition for part in revoked)
        say("owns" if owned else "stops", partitions=sorted(owned))

    def on_partitions_assigned(self, assigned):
        if assignor == "range":
            owned.clear()
        owned.update(part.partition for part in assigned)
        say("owns", partitions=sorted(owned))


consumer = KafkaConsumer(
    bootstrap_servers=brokers.split(","),
    group_id=group,
    client_id=name,
    session_timeout_ms=3000,
    heartbeat_interval_ms=300,
    enable_auto_commit=False,
    partition_assignment_strategy=[strategies[assignor]],
)
consumer.subscribe([topic], listener=Listener())
waiting = commands()
while True:
    consumer.poll(timeout_ms=50)
    try:
        command = waiting.get_nowait()
    except queue.Empty:
        continue
    if command is None:
        break
    partition = TopicPartition(topic, int(command[1]))
    try:
        if command[0] == "commit":
            consumer.commit({partition: OffsetAndMetadata(int(command[2]), "", -1)})
            say("committed", partition=partition.partition, offset=int(command[2]))
        else:
            found = consumer.committed(partition)
            say("found", partition=partition.partition, offset=-1 if found is None else found)
    except KafkaError as error:
        say("error", error=type(error).__name__)
consumer.close()
say("left")
