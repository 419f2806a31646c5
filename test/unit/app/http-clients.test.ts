import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HTTP_LIMITS, HttpClients, type HttpLimits } from '../../../src/app/http-clients.js';
import { eventually } from '../../harness/waiting.js';

const WITHIN_MS = 30_000;
/** More than the kernel keeps for a connection that is not read. */
const LARGE = 'x'.repeat(16 * 1024 * 1024);

let server: Server;
let asked = 0;
const clients: Socket[] = [];
const lines: string[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  lines.length = 0;
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

async function serve(limits: Partial<HttpLimits>): Promise<void> {
  asked = 0;
  server = createServer((request, response) => {
    asked++;
    if (request.url === '/never') return;
    response.end(request.url === '/large' ? LARGE : 'here');
  });
  const all = { ...HTTP_LIMITS, connectionsMax: 100, checkMs: 20, ...limits };
  new HttpClients(all, { warn: (line) => lines.push(line) }).watch(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

interface Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  answer: string;
}
async function open(request = ''): Promise<Client> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  clients.push(socket);
  socket.on('error', () => undefined);
  const client = { socket, closed: new Promise((resolve) => socket.once('close', resolve)), answer: '' };
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(request);
  return client;
}
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
function listen(client: Client): void {
  client.socket.on('data', (bytes) => (client.answer += bytes.toString('latin1')));
}
const connections = (): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
const served = async (): Promise<void> => {
  const client = await open(get('/'));
  listen(client);
  await eventually('it is served', WITHIN_MS, () => client.answer.endsWith('here'));
};

describe('the clients of the HTTP side', () => {
  it('lose a connection whose headers do not come in time, however steadily they drip', async () => {
    await serve({ headersMs: 200 });
    const slow = await open('GET / HTTP/1.1\r\nX-Slow: ');
    listen(slow);
    const drip = setInterval(() => slow.socket.write('x'), 10);
    await slow.closed;
    clearInterval(drip);
    expect(slow.answer).toMatch(/^HTTP\/1.1 408 Request Timeout/);
    expect(lines).toEqual([
      expect.stringMatching(/^closed the HTTP connection of 127.*did not come in time/),
    ]);
    await served();
  });

  it('lose a connection on which nothing comes', async () => {
    await serve({ headersMs: 200 });
    const silent = await open();
    silent.socket.resume();
    await silent.closed;
    expect(lines).toEqual([]);
  });

  it('lose a connection whose body does not come in time', async () => {
    await serve({ headersMs: 100, silenceMs: 200 });
    const slow = await open('POST /never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc');
    slow.socket.resume();
    await slow.closed;
    expect(lines).toHaveLength(1);
    await served();
  });

  it('lose a connection whose answer they do not read', async () => {
    await serve({ silenceMs: 300 });
    await open(get('/large'));
    await eventually('it is closed', WITHIN_MS, () => lines.length > 0);
    expect(lines[0]).toMatch(/nothing was read or sent for 300 ms/);
    await eventually('nothing is left open', WITHIN_MS, async () => (await connections()) === 0);
  });

  it('hold a bounded amount of memory together by not reading', async () => {
    await serve({ unreadBytesMax: 20 * 1024 * 1024 });
    for (let i = 0; i < 4; i++) await open(get('/large'));
    await eventually('some are closed', WITHIN_MS, () => lines.length > 0);
    expect(lines[0]).toMatch(/it had not read \d+ bytes, of \d+ that all clients had not read/);
    await served();
  });

  it('get the place of who has waited longest without a request when all places are taken', async () => {
    await serve({ connectionsMax: 3 });
    const busy = await open(get('/never'));
    const longest = await open();
    longest.socket.resume();
    const other = await open();
    await eventually(
      'all places are taken',
      WITHIN_MS,
      async () => asked === 1 && (await connections()) === 3,
    );
    await served();
    await longest.closed;
    expect(lines).toEqual([
      expect.stringMatching(/3 are open, which is the most allowed, and it had waited/),
    ]);
    expect([busy.socket.destroyed, other.socket.destroyed]).toEqual([false, false]);
  });

  it('are turned away while all places are taken by requests', async () => {
    await serve({ connectionsMax: 2 });
    for (let i = 0; i < 2; i++) await open(get('/never'));
    await eventually('both requests have come', WITHIN_MS, () => asked === 2);
    const third = await open();
    third.socket.resume();
    await third.closed;
    expect(lines).toEqual([expect.stringMatching(/2 are open, .*all of them are at work/)]);
  });
});
