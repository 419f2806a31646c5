package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type franz struct {
	s      *scene
	client *kgo.Client
}

func newFranz(s *scene, cooperative bool) member {
	var balancer kgo.GroupBalancer = kgo.RangeBalancer()
	if cooperative {
		balancer = kgo.CooperativeStickyBalancer()
	}
	came := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) { s.change(topics[s.topic], nil) }
	went := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) { s.change(nil, topics[s.topic]) }
	client, err := kgo.NewClient(
		kgo.SeedBrokers(s.brokers...), kgo.ClientID(s.name), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.topic),
		kgo.Balancers(balancer), kgo.DisableAutoCommit(), kgo.SessionTimeout(3*time.Second),
		kgo.HeartbeatInterval(300*time.Millisecond), kgo.OnPartitionsAssigned(came), kgo.OnPartitionsRevoked(went),
		kgo.OnPartitionsLost(went), kgo.FetchMaxWait(300*time.Millisecond),
	)
	if err != nil {
		panic(err)
	}
	go func() {
		for !client.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return &franz{s, client}
}

func (f *franz) commit(ctx context.Context, partition int32, offset int64) (failed error) {
	offsets := map[string]map[int32]kgo.EpochOffset{f.s.topic: {partition: {Epoch: -1, Offset: offset}}}
	f.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if err != nil {
			return
		}
		for _, topic := range answer.Topics {
			for _, each := range topic.Partitions {
				if err := kerr.ErrorForCode(each.ErrorCode); err != nil {
					failed = err
				}
			}
		}
	})
	if known, ok := failed.(*kerr.Error); ok {
		return named{known.Message}
	}
	return failed
}

func (f *franz) committed(ctx context.Context, partition int32) (int64, error) {
	found, err := kadm.NewClient(f.client).FetchOffsets(ctx, f.s.group)
	if err != nil {
		return -1, err
	}
	if offset, ok := found.Lookup(f.s.topic, partition); ok {
		return offset.At, nil
	}
	return -1, nil
}

func (f *franz) leave() { f.client.Close() }

// An error by its name in the protocol.
type named struct{ name string }

func (n named) Error() string { return n.name }
