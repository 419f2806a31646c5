"""A consumer on aiokafka: BROKERS GROUP TOPIC NAME. The commands are those of confluent_member.py."""
import asyncio
import queue
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from commands import commands, speaker

brokers, group, topic, name = sys.argv[1:5]
say = speaker(name)


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        say("stops", partitions=[])

    async def on_partitions_assigned(self, assigned):
        say("owns", partitions=sorted(part.partition for part in assigned))


async def main():
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers.split(","),
        group_id=group,
        client_id=name,
        session_timeout_ms=3000,
        heartbeat_interval_ms=300,
        enable_auto_commit=False,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    waiting = commands()
    while True:
        try:
            command = waiting.get_nowait()
        except queue.Empty:
            await consumer.getmany(timeout_ms=50)
            continue
        if command is None:
            break
        partition = TopicPartition(topic, int(command[1]))
        try:
            if command[0] == "commit":
                await consumer.commit({partition: int(command[2])})
                say("committed", partition=partition.partition, offset=int(command[2]))
            else:
                found = await consumer.committed(partition)
                say("found", partition=partition.partition, offset=-1 if found is None else found)
        except KafkaError as error:
            say("error", error=type(error).__name__)
    await consumer.stop()
    say("left")


asyncio.run(main())
