// The image's health check: exits 0 when this replica answers /health/ready with 200. It runs every few seconds, so it loads little.
import { get } from 'node:http';
import { hostname } from 'node:os';
import { replicaIdFromText, replicasFromText } from '../dist/app/replica-list.js';

const { QUORATE_REPLICA_ID, QUORATE_REPLICAS, QUORATE_HTTP_LISTEN_HOST: listen } = process.env;
const id = replicaIdFromText(QUORATE_REPLICA_ID);
const own = replicasFromText(QUORATE_REPLICAS).find((entry) => entry.id === id);
const host = listen === '0.0.0.0' || listen === '::' ? 'localhost' : (listen ?? own.host);

const end = (text, code) => {
  console.log(`${hostname()}: ${text}`);
  process.exit(code);
};
const request = get({ host, port: own.httpPort, path: '/health/ready', timeout: 5_000 }, (response) => {
  let body = '';
  response.setEncoding('utf8').on('data', (part) => (body += part));
  response.on('end', () => end(`${response.statusCode} ${body}`, response.statusCode === 200 ? 0 : 1));
});
request.on('timeout', () => request.destroy(new Error('no answer')));
request.on('error', ({ message }) => end(message, 1));
