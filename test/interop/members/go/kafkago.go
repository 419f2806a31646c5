package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

type kafkaGo struct {
	s          *scene
	group      *kafka.ConsumerGroup
	mutex      sync.Mutex
	generation *kafka.Generation
}

func newKafkaGo(s *scene) member {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: s.group, Brokers: s.brokers, Topics: []string{s.topic}, SessionTimeout: 3 * time.Second,
		HeartbeatInterval: 300 * time.Millisecond, RebalanceTimeout: 6 * time.Second, JoinGroupBackoff: 200 * time.Millisecond,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		Dialer:         &kafka.Dialer{ClientID: s.name, Timeout: 3 * time.Second},
	})
	if err != nil {
		panic(err)
	}
	m := &kafkaGo{s: s, group: group}
	go m.run()
	return m
}

func (m *kafkaGo) run() {
	for {
		generation, err := m.group.Next(context.Background())
		if errors.Is(err, kafka.ErrGroupClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		m.mutex.Lock()
		m.generation = generation
		m.mutex.Unlock()
		mine := []int32{}
		for _, each := range generation.Assignments[m.s.topic] {
			mine = append(mine, int32(each.ID))
		}
		m.s.change(mine, nil)
		generation.Start(func(ctx context.Context) {
			<-ctx.Done()
			m.s.change(nil, mine)
		})
	}
}

func (m *kafkaGo) commit(_ context.Context, partition int32, offset int64) error {
	m.mutex.Lock()
	generation := m.generation
	m.mutex.Unlock()
	err := generation.CommitOffsets(map[string]map[int]int64{m.s.topic: {int(partition): offset}})
	var known kafka.Error
	if errors.As(err, &known) {
		return named{known.Title()}
	}
	return err
}

func (m *kafkaGo) committed(ctx context.Context, partition int32) (int64, error) {
	client := &kafka.Client{Addr: kafka.TCP(m.s.brokers...), Timeout: 3 * time.Second}
	topics := map[string][]int{m.s.topic: {int(partition)}}
	found, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: m.s.group, Topics: topics})
	if err != nil {
		return -1, err
	}
	if found.Error != nil {
		return -1, found.Error
	}
	for _, each := range found.Topics[m.s.topic] {
		return each.CommittedOffset, each.Error
	}
	return -1, errors.New("the answer lacks the partition")
}

func (m *kafkaGo) leave() { _ = m.group.Close() }
