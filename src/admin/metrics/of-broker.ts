import type { Metric } from './definition.js';
import type { Scrape } from './scrape.js';

const one = (name: string) => (scrape: Scrape) => [{ value: scrape.broker[name] ?? 0 }];

/** The Kafka listener. */
export const OF_BROKER: readonly Metric[] = [
  {
    name: 'quorate_requests_total',
    kind: 'counter',
    labels: ['api'],
    help: "Requests of clients, by the name of Kafka's API.",
    read: (scrape) => scrape.ofBroker('requests', 'api'),
  },
  {
    name: 'quorate_refusals_total',
    kind: 'counter',
    labels: ['reason'],
    help: 'Requests that this replica did not take: not-leader, overloaded, outcome-unknown.',
    read: (scrape) => scrape.ofBroker('refusals', 'reason'),
  },
  {
    name: 'quorate_error_answers_total',
    kind: 'counter',
    labels: ['api', 'error'],
    help: "Answers with an error, by Kafka's names for API and error: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID and FENCED_INSTANCE_ID are what a zombie is told. Of an answer with several errors the first one counts.",
    read: (scrape) =>
      scrape.ofBroker('errors', 'both').map(({ labels, value }) => {
        const [api, ...error] = String(labels?.['both']).split('_');
        return { labels: { api: api!, error: error.join('_') }, value };
      }),
  },
  {
    name: 'quorate_lease_lost_answers_total',
    kind: 'counter',
    labels: [],
    help: 'Answers that waited for a round to the other replicas, because the lease had run out when they were to leave.',
    read: one('leaseLost'),
  },
  {
    name: 'quorate_parked_requests',
    kind: 'gauge',
    labels: ['kind'],
    help: 'Requests that wait for something to happen: join and sync (a rebalance), fetch (records, of which there are none).',
    read: (scrape) => scrape.ofBroker('parked', 'kind'),
  },
  {
    name: 'quorate_starved_connections',
    kind: 'gauge',
    labels: [],
    help: 'Connections with a request that waits for its share of the event loop.',
    read: one('starved'),
  },
  {
    name: 'quorate_connections',
    kind: 'gauge',
    labels: [],
    help: 'Open connections of Kafka clients.',
    read: one('connectionsOpen'),
  },
  {
    name: 'quorate_connections_opened_total',
    kind: 'counter',
    labels: [],
    help: 'Connections that Kafka clients have opened.',
    read: one('connectionsOpened'),
  },
  {
    name: 'quorate_connections_closed_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'Connections that have ended, by who or what ended them.',
    read: (scrape) => scrape.ofBroker('connectionsClosed', 'cause'),
  },
  {
    name: 'quorate_received_bytes_total',
    kind: 'counter',
    labels: [],
    help: 'Bytes that came from Kafka clients.',
    read: one('bytesIn'),
  },
  {
    name: 'quorate_sent_bytes_total',
    kind: 'counter',
    labels: [],
    help: 'Bytes that went to Kafka clients.',
    read: one('bytesOut'),
  },
  {
    name: 'quorate_socket_writes_total',
    kind: 'counter',
    labels: [],
    help: 'Writes to the sockets of Kafka clients: many answers leave in one.',
    read: one('writes'),
  },
];
