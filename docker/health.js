// The image's health check: exits 0 when this replica answers /health/ready with 200.
import { hostname } from 'node:os';
import { loadSettings } from '../dist/app/configuration.js';
import { addressText } from '../dist/kernel/index.js';

const { settings } = loadSettings({ environment: process.env });
const own = settings.replicas.find(({ id }) => id === settings.replicaId);
const listen = settings.httpListenHost ?? own.host;
const host = listen === '0.0.0.0' || listen === '::' ? 'localhost' : listen;
try {
  const response = await fetch(`http://${addressText({ host, port: own.httpPort })}/health/ready`, {
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  console.log(`${hostname()}: ${response.status} ${text}`);
  process.exit(response.ok ? 0 : 1);
} catch (error) {
  console.log(`${hostname()}: ${error.message}`);
  process.exit(1);
}
