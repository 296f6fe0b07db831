import { expect } from 'chai';

import { noSecretKeys } from '../../../../shared/domain/secrets/secret-box.js';
import { withinLimit } from '../../../../shared/lifecycle/time-limit.js';
import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { TokenSource, tokenIdOf } from '../../../../workers/adapters/http/credentials/token-source.js';
import { marksOf, patchCredentials, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { CollectedLog, connect, InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState, type Answer, type ShownTask, type WireTask } from '../../../support/tasks.js';

const SECRET = 'client-secret-0815/ü';

/** A token server, and a receiver that takes the newest token alone. */
interface TokenServer {
  readonly receiver: Receiver;
  /** Tokens that were given, the oldest first. */
  readonly given: string[];
  expiresIn: number | undefined;
  answer: ((body: string) => { status: number; body: string }) | undefined;
}

async function createTokenServer(): Promise<TokenServer> {
  const receiver = await createReceiver();
  const server: TokenServer = { receiver, given: [], expiresIn: 3_600, answer: undefined };
  receiver.on('/token', ({ body }) => {
    const own = server.answer?.(body.toString());
    if (own !== undefined) return { kind: 'answer', ...own, headers: { 'content-type': 'application/json' } };
    const token = `token-${server.given.length + 1}-of-this-server`;
    server.given.push(token);
    return { kind: 'answer', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ access_token: token, token_type: 'Bearer', ...(server.expiresIn === undefined ? {} : { expires_in: server.expiresIn }) }) };
  });
  return server;
}

describe('oauth2 credentials', function () {
  this.timeout(60_000);
  const log = new CollectedLog();
  let service: InProcessService;
  let server: TokenServer;
  let receiver: Receiver;
  let path = '';
  let nth = 0;

  before(async () => {
    service = await InProcessService.ready({ secretsKeys: secretKey('k1'), log });
    for (let worker = 0; worker < 3; worker += 1) await service.startWorker();
  });
  after(() => service.close());

  beforeEach(async () => {
    server = await createTokenServer();
    receiver = await createReceiver();
    path = `/orders-${(nth += 1)}`;
    receiver.on(path, ({ headers }) => ({ kind: 'answer', status: headers['authorization'] === `Bearer ${server.given.at(-1) ?? ''}` ? 200 : 401 }));
  });
  afterEach(async () => {
    await server.receiver.close();
    await receiver.close();
  });

  async function configure(changes: object = {}): Promise<void> {
    await setCredentials(service.baseUrl, receiver.url(''), { oauth2: { token_url: server.receiver.url('/token'), client_id: 'orders+7', client_secret: SECRET, ...changes } });
    await settled();
  }

  /** All workers have looked once more when a second is over; to wait for it spares each test a send with nothing. */
  async function settled(): Promise<void> {
    const version = await service.redis.get(`${service.prefix}:credentials:version`);
    expect(version).to.not.equal(null);
    const until = performance.now() + 1_000;
    await eventually(() => expect(performance.now()).to.be.above(until));
  }

  async function send(changes: Partial<WireTask> = {}): Promise<string> {
    const task = httpTask(receiver.url(path), { on_exhausted: 'park', ...changes });
    await submitNew(service.baseUrl, task);
    return task.id;
  }

  function testSend(destination: object): Promise<Answer> {
    return call(service.baseUrl, '/test-sends', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination_type: 'http', destination, message_data: 'm' }) });
  }

  async function sendAll(count: number): Promise<void> {
    const ids = await Promise.all(Array.from({ length: count }, () => send()));
    for (const id of ids) expectFirstAttempt(await waitForState(service.baseUrl, id, 'delivered'));
  }

  /** A task without retries is delivered by its first attempt, or not at all. */
  function expectFirstAttempt({ attempt, timeline }: ShownTask): void {
    expect(attempt).to.equal(0);
    expect(timeline.filter(({ kind }) => kind === 'attempt')).to.have.length(1);
  }

  it('get a token by the client credentials grant, once for the whole fleet', async () => {
    await configure({ scope: 'orders:write', audience: 'orders' });
    await sendAll(40);
    expect(server.given).to.have.length(1);
    const [request] = server.receiver.requestsTo('/token');
    expect([request?.method, request?.body.toString(), request?.headers['content-type']]).to.deep.equal(['POST', 'grant_type=client_credentials&scope=orders%3Awrite&audience=orders', 'application/x-www-form-urlencoded']);
    expect(Buffer.from((request?.headers['authorization'] ?? '').replace('Basic ', ''), 'base64').toString()).to.equal(`orders%2B7:${encodeURIComponent(SECRET)}`);
    const stored = JSON.stringify(await Promise.all((await service.redis.keys(`${service.prefix}:credentials:token:*`)).map((key) => service.redis.get(key))));
    expect(stored).to.contain('k1.').and.to.not.contain(server.given[0]);
  });

  it('send id and secret in the body where that is asked for', async () => {
    await configure({ client_authentication: 'body' });
    await sendAll(1);
    const [request] = server.receiver.requestsTo('/token');
    expect(Object.fromEntries(new URLSearchParams(request?.body.toString()))).to.deep.equal({ grant_type: 'client_credentials', client_id: 'orders+7', client_secret: SECRET });
    expect(request?.headers['authorization']).to.equal(undefined);
  });

  it('of a short life are renewed early, by one process, although each new token ends the ones before: no attempt is used', async () => {
    server.expiresIn = 2;
    await configure();
    const until = performance.now() + 5_000;
    while (performance.now() < until) await sendAll(10);
    expect(server.given.length).to.be.at.least(2).and.at.most(5);
  });

  it('that a receiver refuses are replaced within the same attempt', async () => {
    await configure();
    await sendAll(5);
    // The receiver takes none of the old ones any more.
    server.given.push('ended');
    await sendAll(20);
    expect(server.receiver.requestsTo('/token')).to.have.length(2);
  });

  it('ask for no other token again and again where a receiver answers 401 always', async () => {
    receiver.on(path, { kind: 'answer', status: 401 });
    await configure();
    const ids = await Promise.all(Array.from({ length: 10 }, () => send({ max_retries: 2 })));
    for (const id of ids) {
      const { timeline } = await waitForState(service.baseUrl, id, 'parked');
      expect(timeline.filter(({ kind, http_status: status }) => kind === 'attempt' && status === 401)).to.have.length(3);
    }
    expect(server.given.length).to.be.at.most(2);
  });

  it('are asked for once where one is refused late, when another is stored already', async () => {
    await configure();
    await sendAll(10);
    const [first = ''] = server.given;
    let replaced: () => void = () => undefined;
    const isReplaced = new Promise<void>((resolve) => { replaced = resolve; });
    receiver.on(path, ({ headers, body }) => {
      if (headers['authorization'] !== `Bearer ${first}`) return { kind: 'answer' };
      return { kind: 'answer', status: 401, ...(body.toString() === 'late' ? { after: isReplaced } : {}) };
    });
    const late = await Promise.all([1, 2, 3].map(() => send({ message_data: 'late' })));
    await eventually(() => expect(receiver.inFlight).to.equal(3));
    await sendAll(10);
    replaced();
    for (const id of late) expectFirstAttempt(await waitForState(service.baseUrl, id, 'delivered'));
    expect(server.given).to.have.length(2);
  });

  it('are neither sent nor asked for where the task has a login itself, and its refusal costs the fleet no token', async () => {
    await configure();
    // Each worker has sent with a token that this receiver takes.
    await sendAll(20);
    const headers = { AUTHORIZATION: 'Bearer wrong' };
    const own = [{ url: receiver.url(path), headers }, { url: receiver.url(path).replace('//', '//user:wrong@') }];
    for (const id of await Promise.all([...own, ...own, ...own].map((destination) => send({ destination })))) {
      const { timeline } = await waitForState(service.baseUrl, id, 'parked');
      expect(timeline[0]?.http_status).to.equal(401);
      expect(receiver.requestsFor(id)).to.have.length(1);
    }
    const { body } = await testSend(own[0] ?? {});
    expect([body['http_status'], receiver.requestsFor(String(body['id'])).length]).to.deep.equal([401, 1]);
    expect(server.given).to.have.length(1);
    // What the token server says does not matter to them either.
    server.answer = () => ({ status: 400, body: '{}' });
    await configure({ scope: 'another-client' });
    const delivered = await send({ destination: { url: receiver.url('/takes-all'), headers } });
    expectFirstAttempt(await waitForState(service.baseUrl, delivered, 'delivered'));
    expect((await testSend({ url: receiver.url('/takes-all'), headers })).body).to.include({ outcome: 'delivered' });
    expect(server.receiver.requestsTo('/token')).to.have.length(1);
  });

  it('are asked for by another process when the one that asks dies', async () => {
    const client = { token_url: server.receiver.url('/token'), client_id: 'orders+7', client_secret: SECRET, client_authentication: 'header' } as const;
    // A worker was killed while it asked: its right lapses.
    await service.redis.set(`${service.prefix}:credentials:token-lock:${tokenIdOf(client)}`, 'a worker that is gone', 'PX', 1_500);
    await setCredentials(service.baseUrl, receiver.url(''), { oauth2: client });
    await settled();
    await sendAll(3);
    expect(server.given).to.have.length(1);
  });

  it('that cannot be had end the attempt with a code of their own, and the token server is left alone for a while', async () => {
    server.answer = (body) => ({ status: 400, body: JSON.stringify({ error: 'invalid_client', error_description: `no ${SECRET} ${body}` }) });
    await configure();
    const ids = await Promise.all(Array.from({ length: 20 }, () => send()));
    for (const id of ids) {
      const { timeline } = await waitForState(service.baseUrl, id, 'parked');
      expect(timeline[0]?.error).to.equal('token_refused: the token server answered 400 invalid_client');
    }
    expect(server.receiver.requestsTo('/token')).to.have.length(1);
    expect(receiver.requestsTo(path), 'nothing goes without its token').to.have.length(0);
  });

  it('leave no secret in what is stored of answers that quote the request', async () => {
    server.answer = (body) => ({ status: 500, body: JSON.stringify({ error: SECRET, body }) });
    await configure({ client_authentication: 'body' });
    const failed = await waitForState(service.baseUrl, await send(), 'parked');
    expect(failed.timeline[0]?.error).to.equal('token_unavailable: the token server answered 500');
    server.answer = undefined;
    receiver.on(path, ({ headers }) => ({ kind: 'answer', status: 400, body: `bad ${headers['authorization'] ?? ''}` }));
    await configure({ scope: 'another-client' });
    const refused = await waitForState(service.baseUrl, await send(), 'parked');
    expect(refused.timeline[0]?.error).to.equal('http_client_error: HTTP 400: bad ***');
    const texts = [JSON.stringify(await getTask(service.baseUrl, refused.id)), service.log];
    for (const text of texts) for (const mark of [...marksOf(SECRET), ...server.given.flatMap(marksOf)]) expect(text).to.not.contain(mark);
  });

  it('stand under the address policy also where a name resolves to what is forbidden', async () => {
    const refused = await patchCredentials(service.baseUrl, receiver.url(''), { oauth2: { token_url: 'http://[::ffff:169.254.169.254]/token', client_id: 'c', client_secret: 's' } });
    expect(refused.status).to.equal(400);
    await setCredentials(service.baseUrl, receiver.url(''), { oauth2: { token_url: 'http://no-such-host.invalid/token', client_id: 'c', client_secret: 's' } });
    await settled();
    const { timeline } = await waitForState(service.baseUrl, await send(), 'parked');
    expect(timeline[0]?.error).to.equal('token_unavailable: the token server could not be asked: host_not_found');
  });
});

describe('the source of tokens', () => {
  it('gives what the token server said in time where Redis is silent behind it', async () => {
    const server = await PrivateRedis.start();
    // That of a worker: its commands wait for Redis without a limit.
    const redis = connect('worker', server.address);
    const queue = new TaskQueue({ redis, prefix: uniquePrefix(), shards: 1, deadAttempts: 1, clock: Date.now });
    const failure = { code: 'token_refused', detail: 'the token server answered 400' } as const;
    try {
      await queue.ready();
      for (const answer of [{ token: 'made', lifeMs: 60_000 }, { failure }]) {
        const source = new TokenSource({ store: () => queue.fleet.tokenStore(), secrets: noSecretKeys, clock: Date.now, ask: async () => { await server.freeze(); return answer; } });
        const client = { token_url: 'http://tokens.example/', client_id: JSON.stringify(answer), client_secret: 's', client_authentication: 'header' } as const;
        const given = await withinLimit(source.get(client), 2_000, () => new Error('it waits for Redis'));
        expect(given).to.deep.equal('token' in answer ? { token: 'made', isNew: true } : { failure });
        if ('token' in answer) expect(await source.get(client), 'it goes on with that').to.deep.equal({ token: 'made', isNew: false });
        server.thaw();
      }
    } finally {
      server.thaw();
      await queue.close();
      redis.disconnect();
      await server.close();
    }
  }).timeout(8_000);
});
