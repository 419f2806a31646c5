// A consumer on one of the Go clients: CLIENT BROKERS GROUP TOPIC NAME, where CLIENT is franz-eager, franz-cooperative,
// sarama or kafka-go. The commands are those of confluent_member.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

type member interface {
	commit(ctx context.Context, partition int32, offset int64) error
	committed(ctx context.Context, partition int32) (int64, error)
	leave()
}

type scene struct {
	brokers            []string
	group, topic, name string
	mutex              sync.Mutex
	partitions         map[int32]bool
}

func (s *scene) say(kind string, more map[string]any) {
	line := map[string]any{"kind": kind, "name": s.name}
	for key, value := range more {
		line[key] = value
	}
	bytes, _ := json.Marshal(line)
	fmt.Println(string(bytes))
}

// Partitions that came and went; a member without any owns none.
func (s *scene) change(came, went []int32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, partition := range went {
		delete(s.partitions, partition)
	}
	for _, partition := range came {
		s.partitions[partition] = true
	}
	owned := []int32{}
	for partition := range s.partitions {
		owned = append(owned, partition)
	}
	slices.Sort(owned)
	s.say("owns", map[string]any{"partitions": owned})
}

func main() {
	client := os.Args[1]
	s := &scene{brokers: strings.Split(os.Args[2], ","), group: os.Args[3], topic: os.Args[4], name: os.Args[5], partitions: map[int32]bool{}}
	var m member
	switch client {
	case "franz-eager", "franz-cooperative":
		m = newFranz(s, client == "franz-cooperative")
	case "sarama":
		m = newSarama(s)
	case "kafka-go":
		m = newKafkaGo(s)
	default:
		panic("no client " + client)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		partition, _ := strconv.Atoi(words[1])
		ctx := context.Background()
		if words[0] == "commit" {
			offset, _ := strconv.ParseInt(words[2], 10, 64)
			if err := m.commit(ctx, int32(partition), offset); err != nil {
				s.say("error", map[string]any{"error": err.Error()})
			} else {
				s.say("committed", map[string]any{"partition": partition, "offset": offset})
			}
		} else if offset, err := m.committed(ctx, int32(partition)); err != nil {
			s.say("error", map[string]any{"error": err.Error()})
		} else {
			s.say("found", map[string]any{"partition": partition, "offset": offset})
		}
	}
	m.leave()
	s.say("left", nil)
}
