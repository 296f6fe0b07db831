import { createServer, connect } from 'node:net';

import { expect } from 'chai';

import { Metrics } from '../../../../shared/telemetry/metrics.js';
import { createTokenCheck } from '../../../../shared/telemetry/metrics-token.js';
import { WorkerPort, type WorkerLife, type WorkerPortOptions } from '../../../../workers/telemetry/worker-port.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';

const TOKEN = 'scrape-0123456789abcdef';

describe('the port of a worker', () => {
  const open: WorkerPort[] = [];
  afterEach(() => Promise.all(open.splice(0).map((port) => port.stop())));

  async function start(changes: Partial<WorkerPortOptions> = {}): Promise<string> {
    const port = new WorkerPort({ host: '127.0.0.1', port: 0, metrics: new Metrics('worker'), logger: { info: () => undefined }, wrongTokensPerSecond: 1_000, mayRead: () => true, isAllowedHost: () => true, life: () => 'taking_tasks', pingRedis: async () => 'PONG', ...changes });
    open.push(port);
    return `http://127.0.0.1:${await port.start()}`;
  }

  const ask = async (url: string, init: RequestInit = {}): Promise<{ status: number; text: string; headers: Headers }> => {
    const answer = await fetch(url, init);
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };

  it('is alive whatever Redis does, and ready only when Redis answers', async () => {
    let answers = true;
    const hangs = new Promise<never>(() => undefined);
    const url = await start({ pingRedis: () => (answers ? Promise.resolve() : hangs) });
    expect(await ask(`${url}/readyz`)).to.include({ status: 200, text: '{"status":"ready","checks":{"redis":"ok"}}' });
    answers = false;
    const [ready, alive] = await Promise.all([ask(`${url}/readyz`), ask(`${url}/livez`)]);
    expect(ready).to.include({ status: 503, text: '{"status":"not_ready","checks":{"redis":"failed"}}' });
    expect(alive).to.include({ status: 200, text: '{"status":"alive"}' });
  });

  it('is not ready before it takes tasks, and when it was told to stop', async () => {
    let life: WorkerLife = 'starting';
    const url = await start({ life: () => life });
    expect(await ask(`${url}/readyz`)).to.include({ status: 503, text: '{"status":"not_ready","checks":{"redis":"ok"}}' });
    life = 'stopping';
    expect(await ask(`${url}/readyz`)).to.include({ status: 503, text: '{"status":"stopping","checks":{"redis":"ok"}}' });
    expect((await ask(`${url}/livez`)).status).to.equal(200);
  });

  it('shows metrics under no name that a page could have, and answers probes under every name', async () => {
    const url = await start({ isAllowedHost: (host) => host !== 'rebinds.example' });
    const status = async (path: string, host: string): Promise<number> => (await sendRaw(url, { path, headers: { host } })).status;
    expect([await status('/metrics', 'rebinds.example'), await status('/metrics', '127.0.0.1'), await status('/livez', 'rebinds.example')]).to.deep.equal([421, 200, 200]);
  });

  it('shows metrics to who may read them', async () => {
    const isToken = createTokenCheck(TOKEN);
    const url = await start({ mayRead: (token) => token !== undefined && isToken(token) });
    const shown = await ask(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(shown.status).to.equal(200);
    expect(shown.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(shown.text).to.include('kafka_retry_tasks_processed_total{phase="delivery",outcome="delivered"} 0\n');
    for (const authorization of ['', 'Bearer', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN]) {
      const refused = await ask(`${url}/metrics`, { headers: { authorization } });
      expect([refused.status, refused.headers.get('www-authenticate')], authorization).to.deep.equal([401, 'Bearer']);
      expect(refused.text).to.not.include('kafka_retry');
    }
  });

  const others = [['GET', '/', 404], ['GET', '/tasks', 404], ['GET', '/METRICS', 404], ['POST', '/metrics', 405], ['DELETE', '/livez', 405], ['GET', '/livez?x=1', 200], ['HEAD', '/metrics', 200]] as const;
  for (const [method, path, status] of others) {
    it(`answers ${status} to ${method} ${path}`, async () => {
      const url = await start();
      expect((await ask(`${url}${path}`, { method })).status).to.equal(status);
    });
  }

  it('logs and counts what it refuses, without what was sent, and slows wrong tokens of an address', async () => {
    const lines: Record<string, unknown>[] = [];
    const metrics = new Metrics('worker');
    const isToken = createTokenCheck(TOKEN);
    const url = await start({ metrics, wrongTokensPerSecond: 1, logger: { info: (message, fields) => void lines.push({ message, ...fields }) }, mayRead: (token) => token !== undefined && isToken(token) });
    const right = { headers: { authorization: `Bearer ${TOKEN}` } };
    const statusWith = async (authorization: string): Promise<number> => (await ask(`${url}/metrics`, { headers: { authorization } })).status;
    expect((await ask(`${url}/metrics`)).status).to.equal(401);
    expect((await ask(`${url}/guessed-secret`)).status).to.equal(404);
    expect((await ask(`${url}/metrics`, { method: 'POST' })).status).to.equal(405);
    const statuses = await Promise.all(Array.from({ length: 12 }, () => statusWith('Bearer guessed-secret')));
    expect(statuses.filter((status) => status === 429).length, 'two at once, and two that wait for up to 2 s; one more for each second that they take').to.be.at.least(4);
    expect((await ask(`${url}/metrics`, right)).status, 'the right token never waits').to.equal(200);
    expect(lines.slice(0, 3)).to.deep.equal([
      { message: 'request refused', status: 401, code: 'unauthenticated', why: 'no key', remote_address: '127.0.0.1', port: 'worker' },
      { message: 'request refused', status: 404, code: 'not_found', why: undefined, remote_address: '127.0.0.1', port: 'worker' },
      { message: 'request refused', status: 405, code: 'method_not_allowed', why: undefined, remote_address: '127.0.0.1', port: 'worker' },
    ]);
    expect(JSON.stringify(lines)).to.contain('too many wrong keys').and.not.contain('guessed-secret');
    const { text } = await ask(`${url}/metrics`, right);
    expect(text).to.match(/kafka_retry_requests_refused_total\{code="not_found"\} 1\n/).and.match(/kafka_retry_requests_refused_total\{code="rate_limited"\} [1-9]/);
    await Promise.all(open.splice(0).map((each) => each.stop()));
    expect(lines.reduce((sum, { message, count = 1 }) => sum + (String(message).includes('refused') ? Number(count) : 0), 0), 'each is logged or counted').to.equal(15);
  });

  it('goes on after bytes that are no request, and ends with connections that send nothing', async () => {
    const metrics = new Metrics('worker');
    const url = await start({ metrics });
    const { port } = new URL(url);
    const garbage = connect(Number(port), '127.0.0.1');
    garbage.on('error', () => undefined);
    garbage.write('\0\0\0 garbage\r\n\r\n');
    const silent = connect(Number(port), '127.0.0.1');
    let isSilentClosed = false;
    silent.on('error', () => undefined);
    silent.on('close', () => { isSilentClosed = true; });
    await new Promise((resolve) => silent.once('connect', resolve));
    expect((await ask(`${url}/livez`)).status).to.equal(200);
    await eventually(async () => expect(await metrics.text()).to.contain('kafka_retry_requests_refused_total{code="invalid_request"} 1\n'));
    await Promise.all(open.splice(0).map((each) => each.stop()));
    await eventually(() => expect(isSilentClosed).to.equal(true));
  });

  it('has 50 connections at once, and closes another one', async () => {
    const url = await start();
    const clients = Array.from({ length: 50 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
    try {
      await Promise.all(clients.map((client) => new Promise((resolve) => client.once('connect', resolve))));
      expect(await ask(`${url}/livez`).catch((error: unknown) => error)).to.be.an('error');
      clients[0]?.destroy();
      await eventually(async () => expect((await ask(`${url}/livez`)).status).to.equal(200));
      expect(clients.slice(1).map(({ destroyed }) => destroyed)).to.not.include(true);
    } finally {
      for (const client of clients) client.destroy();
    }
  });

  it('says that its port is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const address = holder.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const failed: unknown = await start({ port }).then(() => undefined, (error: unknown) => error);
    await new Promise((resolve) => holder.close(resolve));
    expect(failed).to.be.instanceOf(Error).with.property('code', 'EADDRINUSE');
  });
});
