import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A consumer on kafka-clients: BROKERS GROUP TOPIC NAME ASSIGNOR. The commands are those of confluent_member.py. */
public class Member {
  static final Set<Integer> owned = new TreeSet<>();

  static void say(String name, String kind, String more) {
    System.out.println("{\"kind\":\"" + kind + "\",\"name\":\"" + name + "\"" + more + "}");
    System.out.flush();
  }

  static void change(String name, Collection<TopicPartition> came, Collection<TopicPartition> went) {
    for (TopicPartition each : went) owned.remove(each.partition());
    for (TopicPartition each : came) owned.add(each.partition());
    say(name, "owns", ",\"partitions\":" + new ArrayList<>(owned));
  }

  public static void main(String[] args) throws Exception {
    String topic = args[2];
    String name = args[3];
    String assignor = args[4].equals("range") ? "RangeAssignor" : "CooperativeStickyAssignor";
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("group.id", args[1]);
    settings.put("client.id", name);
    settings.put("session.timeout.ms", "3000");
    settings.put("heartbeat.interval.ms", "300");
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    LinkedBlockingQueue<String> commands = new LinkedBlockingQueue<>();
    Thread reader = new Thread(() -> {
      try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in))) {
        for (String line = input.readLine(); line != null; line = input.readLine()) commands.add(line);
      } catch (java.io.IOException gone) {
        // The same as the end of the input.
      }
      commands.add("");
    });
    reader.setDaemon(true);
    reader.start();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        public void onPartitionsRevoked(Collection<TopicPartition> went) {
          change(name, List.of(), went);
        }

        public void onPartitionsAssigned(Collection<TopicPartition> came) {
          change(name, came, List.of());
        }
      });
      while (true) {
        consumer.poll(Duration.ofMillis(50));
        String line = commands.poll();
        if (line == null) continue;
        if (line.isEmpty()) break;
        String[] words = line.split(" ");
        TopicPartition partition = new TopicPartition(topic, Integer.parseInt(words[1]));
        try {
          if (words[0].equals("commit")) {
            OffsetAndMetadata offset = new OffsetAndMetadata(Long.parseLong(words[2]));
            consumer.commitSync(Map.of(partition, offset), Duration.ofSeconds(10));
            say(name, "committed", ",\"partition\":" + words[1] + ",\"offset\":" + words[2]);
          } else {
            OffsetAndMetadata found = consumer.committed(Set.of(partition), Duration.ofSeconds(10)).get(partition);
            say(name, "found", ",\"partition\":" + words[1] + ",\"offset\":" + (found == null ? -1 : found.offset()));
          }
        } catch (KafkaException error) {
          say(name, "error", ",\"error\":\"" + error.getClass().getSimpleName() + "\"");
        }
      }
    }
    say(name, "left", "");
  }
}
