"""A consumer on confluent-kafka that prints what it owns as JSON lines and commits on command.

Commands on standard input: `commit PARTITION OFFSET`, `committed PARTITION`. End of input: leave and end.
"""
import queue
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

from commands import commands, speaker

brokers, group, topic, name = sys.argv[1:5]
say = speaker(name)

consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "client.id": name,
        "session.timeout.ms": 3000,
        "heartbeat.interval.ms": 300,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "range",
    }
)
consumer.subscribe(
    [topic],
    on_assign=lambda c, parts: say("owns", partitions=sorted(p.partition for p in parts)),
    on_revoke=lambda c, parts: say("stops", partitions=sorted(p.partition for p in parts)),
)

waiting = commands()
while True:
    message = consumer.poll(0.05)
    if message is not None and message.error():
        say("error", error=str(message.error()))
    try:
        command = waiting.get_nowait()
    except queue.Empty:
        continue
    if command is None:
        break
    partition = TopicPartition(topic, int(command[1]))
    try:
        if command[0] == "commit":
            partition.offset = int(command[2])
            consumer.commit(offsets=[partition], asynchronous=False)
            say("committed", partition=partition.partition, offset=partition.offset)
        else:
            (found,) = consumer.committed([partition], timeout=10)
            say("found", partition=found.partition, offset=found.offset)
    except KafkaException as error:
        say("error", error=error.args[0].name())
consumer.close()
say("left")
