package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

type saramaMember struct {
	s       *scene
	client  sarama.Client
	group   sarama.ConsumerGroup
	end     context.CancelFunc
	mutex   sync.Mutex
	session sarama.ConsumerGroupSession
}

func newSarama(s *scene) member {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.ClientID = s.name
	config.Consumer.Group.Session.Timeout = 3 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Return.Errors = true
	client, err := sarama.NewClient(s.brokers, config)
	if err != nil {
		panic(err)
	}
	group, err := sarama.NewConsumerGroupFromClient(s.group, client)
	if err != nil {
		panic(err)
	}
	ctx, end := context.WithCancel(context.Background())
	m := &saramaMember{s: s, client: client, group: group, end: end}
	go func() {
		for range group.Errors() {
		}
	}()
	go func() {
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{s.topic}, m); err != nil {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return m
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	m.session = session
	m.mutex.Unlock()
	m.s.change(session.Claims()[m.s.topic], nil)
	return nil
}
func (m *saramaMember) Cleanup(session sarama.ConsumerGroupSession) error {
	m.s.change(nil, session.Claims()[m.s.topic])
	return nil
}
func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	<-session.Context().Done()
	return nil
}

// MarkOffset says nothing, and Commit neither: what was committed is read back.
func (m *saramaMember) commit(ctx context.Context, partition int32, offset int64) error {
	m.mutex.Lock()
	session := m.session
	m.mutex.Unlock()
	session.MarkOffset(m.s.topic, partition, offset, "")
	session.Commit()
	if found, err := m.committed(ctx, partition); err != nil || found == offset {
		return err
	}
	return errors.New("ignored without an error")
}

func (m *saramaMember) committed(_ context.Context, partition int32) (int64, error) {
	// Closing an admin closes its client.
	admin, err := sarama.NewClusterAdminFromClient(m.client)
	if err != nil {
		return -1, err
	}
	found, err := admin.ListConsumerGroupOffsets(m.s.group, map[string][]int32{m.s.topic: {partition}})
	if err != nil {
		return -1, err
	}
	return found.GetBlock(m.s.topic, partition).Offset, nil
}

func (m *saramaMember) leave() {
	m.end()
	_ = m.group.Close()
}
