import { expect } from 'chai';

import { credentialsPath, marksOf, patchCredentials, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type ReceivedRequest, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';

const keys = [secretKey('k2'), secretKey('k1')].join(',');

describe('credentials of destinations', () => {
  const log = new CollectedLog();
  let service: InProcessService;
  let receiver: Receiver;
  let origin: string;

  before(async () => {
    receiver = await createReceiver();
    origin = receiver.url('');
    service = await InProcessService.ready({ secretsKeys: keys, log });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });
  afterEach(async () => {
    for (const { key } of await all()) await call(service.baseUrl, credentialsPath(key), { method: 'DELETE' });
  });

  const all = async (): Promise<readonly { readonly key: string }[]> => (await service.queue.fleet.withCredentials((store) => store.read())).stored ?? [];
  const set = (key: string, body: unknown): Promise<Readonly<Record<string, unknown>>> => setCredentials(service.baseUrl, key, body);

  /** Sends a task, and gives what has arrived. */
  async function sent(path: string, changes: Partial<WireTask> = {}): Promise<ReceivedRequest> {
    const task = httpTask(receiver.url(path), changes);
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    const found = receiver.requests.find(({ taskId }) => taskId === task.id);
    if (found === undefined) throw new Error('nothing arrived');
    return found;
  }

  /** Waits until the worker uses what was stored. Each way of asking is a send of its own. */
  async function eventuallySent(path: string, authorization: string | undefined): Promise<void> {
    const begun = performance.now();
    await eventually(async () => expect((await sent(path)).headers['authorization']).to.equal(authorization));
    // All workers know a change within a second; this one runs on a crowded machine.
    expect(performance.now() - begun).to.be.below(10_000);
  }

  it('shows of the login of a topic all but its password', async () => {
    const shown = await setCredentials(service.baseUrl, 'kafka://Broker-1:9092/orders', { sasl: { mechanism: 'plain', username: 'orders', password: 'secret-of-orders' } });
    expect(shown['key']).to.equal('kafka://broker-1:9092/orders');
    expect(shown['sasl']).to.include({ mechanism: 'plain', username: 'orders', tls: true });
    expect(JSON.stringify(shown)).to.not.include('secret-of-orders');
  });

  it('are sent as headers, as basic or as bearer, and follow each change over kept connections', async () => {
    expect((await sent('/orders')).headers['authorization']).to.equal(undefined);
    await set(origin, { headers: { 'X-Api-Key': 'key-of-orders' } });
    await eventually(async () => expect((await sent('/orders')).headers['x-api-key']).to.equal('key-of-orders'));
    await set(origin, { basic: { user: 'us er', password: 'pa:ss ß' } });
    await eventuallySent('/orders', `Basic ${Buffer.from('us er:pa:ss ß').toString('base64')}`);
    expect((await sent('/orders')).headers['x-api-key'], 'what is left out stays').to.equal('key-of-orders');
    await set(origin, { basic: null, bearer: { token: 'token-1' } });
    await eventuallySent('/orders', 'Bearer token-1');
    await call(service.baseUrl, credentialsPath(origin), { method: 'DELETE' });
    await eventuallySent('/orders', undefined);
  });

  it('of the nearest key hold alone, and go to no other origin', async () => {
    await set(origin, { bearer: { token: 'of-host' }, headers: { 'x-host': '1' } });
    await set(`${origin}/orders`, { bearer: { token: 'of-prefix' } });
    await set(`${origin}/orders/eu/5`, { headers: { 'x-exact': '1' } });
    await eventually(async () => expect((await sent('/orders/eu/5')).headers['x-exact']).to.equal('1'));
    const table: readonly (readonly [path: string, authorization: string | undefined])[] = [
      ['/orders', 'Bearer of-prefix'],
      ['/orders?x=1', 'Bearer of-prefix'],
      ['/orders/eu', 'Bearer of-prefix'],
      ['/orders/eu/50', 'Bearer of-prefix'],
      ['/orders/eu/5', undefined],
      ['/orders/eu/5/x', undefined],
      ['/orders2', 'Bearer of-host'],
      ['/', 'Bearer of-host'],
    ];
    for (const [path, authorization] of table) {
      const { headers } = await sent(path);
      expect(headers['authorization'], path).to.equal(authorization);
      expect(headers['x-host'], `${path}: not merged`).to.equal(authorization === 'Bearer of-host' ? '1' : undefined);
    }
    const elsewhere = httpTask(receiver.url('/orders').replace('127.0.0.1', 'localhost'));
    await submitNew(service.baseUrl, elsewhere);
    await waitForState(service.baseUrl, elsewhere.id, 'delivered');
    expect(receiver.requests.find(({ taskId }) => taskId === elsewhere.id)?.headers['authorization']).to.equal(undefined);
  });

  it('give way to what the task says itself, so that no header stands there twice', async () => {
    await set(origin, { bearer: { token: 'stored' }, headers: { 'x-tenant': 'stored', 'user-agent': 'stored' } });
    await eventuallySent('/own', 'Bearer stored');
    const own = await sent('/own', { destination: { url: receiver.url('/own'), headers: { AUTHORIZATION: 'Bearer own', 'X-Tenant': 'own' } } });
    expect(own.headers).to.include({ authorization: 'Bearer own', 'x-tenant': 'own', 'user-agent': 'stored' });
    const login = await sent('/own', { destination: { url: receiver.url('/own').replace('//', '//u:p@') } });
    expect(login.headers['authorization']).to.equal(`Basic ${Buffer.from('u:p').toString('base64')}`);
  });

  it('go with dead letters, too', async () => {
    receiver.on('/fails', { kind: 'answer', status: 500 });
    await set(`${origin}/dead`, { bearer: { token: 'of-dead' } });
    await eventuallySent('/dead', 'Bearer of-dead');
    const task = httpTask(receiver.url('/fails'), { dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(receiver.requests.find(({ taskId, path }) => taskId === task.id && path === '/dead')?.headers['authorization']).to.equal('Bearer of-dead');
    expect(receiver.requests.find(({ taskId, path }) => taskId === task.id && path === '/fails')?.headers['authorization']).to.equal(undefined);
  });

  it('replace a member as a whole: no secret is kept beside a new address', async () => {
    await set(origin, { oauth2: { token_url: 'https://tokens.example.com/t?tenant=7', client_id: 'c', client_secret: 'the-secret' } });
    const refused = await patchCredentials(service.baseUrl, origin, { oauth2: { token_url: 'https://other.example/t' } });
    expect(refused.status).to.equal(400);
    expect((refused.body['details'] as { field: string }[]).map(({ field }) => field)).to.deep.equal(['oauth2.client_id', 'oauth2.client_secret']);
    expect((await patchCredentials(service.baseUrl, origin, { basic: { user: 'x' } })).body['error']).to.match(/^basic\.password is required/);
    const { body } = await call(service.baseUrl, credentialsPath(origin));
    expect(body['oauth2']).to.include({ token_url: 'https://tokens.example.com/t?...', client_id: 'c', scope: null, client_authentication: 'header' });
    await set(origin, { oauth2: { token_url: 'https://other.example/t', client_id: 'c', client_secret: 'the-secret' } });
    const { entries } = (await call(service.baseUrl, `/audit?action=credentials&target=${encodeURIComponent(origin)}&limit=1`)).body as unknown as { entries: { before: object; after: object; actor: { operator: string } }[] };
    expect(Object.keys(entries[0]?.before ?? {}), 'only the address has changed').to.deep.equal(['oauth2.token_url']);
    expect(entries[0]?.actor.operator).to.equal('Anna');
  });

  it('are refused where they would mean nothing, or two things', async () => {
    const login = { basic: { user: 'u', password: 'p' } };
    const table: readonly (readonly [key: string, body: object, fault: RegExp])[] = [
      [origin, {}, /must have one of headers, basic/],
      [origin, { bearer: { token: 'x' }, ...login }, /at most one of basic, bearer and oauth2/],
      [origin, { headers: { authorization: 'x' }, ...login }, /headers must not have Authorization beside basic/],
      [origin, { headers: { 'x-retry-run': '1' } }, /this service writes it/],
      [origin, { headers: { 'x-a': '***' } }, /stands for a value that is not shown/],
      [origin, { headers: {} }, /a header at least/],
      [origin, { bearer: { token: '***' } }, /stands for a value that is not shown/],
      [origin, { bearer: { token: 'a b' } }, /without spaces/],
      [origin, { bearer: 'abc' }, /bearer must be an object/],
      [origin, { baerer: { token: 'x' } }, /did you mean bearer\?/],
      [origin, { basic: { user: 'a:b', password: 'p' } }, /colon/],
      [origin, { oauth2: { token_url: 'ftp://a/', client_id: 'c', client_secret: 's' } }, /absolute http or https url/],
      [origin, { oauth2: { token_url: 'http://u:p@a/', client_id: 'c', client_secret: 's' } }, /must not have a user/],
      [origin, { oauth2: { token_url: 'http://169.254.169.254/t', client_id: 'c', client_secret: 's' } }, /oauth2\.token_url must not be asked: the address policy/],
      [origin, { client_certificate: { certificate: 'x', key: 'y' } }, /PEM/],
      [origin, { client_certificate: { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } }, /a ca that cannot be read/],
      [origin, { signing: { rotate: { overlap: -1 } } }, /overlap must be a number of seconds/],
      [origin, { signing: { secret: 'whsec_AAAA' } }, /24 to 64 bytes/],
      [origin, { signing: {} }, /signing\.rotate must be given/],
      ['tenant-7', login, /a flow_key, or \*, goes to no place/],
      ['*', login, /a flow_key, or \*, goes to no place/],
      ['kafka://default/orders', login, /basic is for HTTP destinations/],
      ['kafka://default/orders', { sasl: { mechanism: 'SCRAM-SHA-265', username: 'u', password: 'p' } }, /scram-sha-512: did you mean scram-sha-256\?/],
      ['kafka://default/orders', { sasl: { mechanism: 'md5', username: 'u', password: 'p' } }, /sasl\.mechanism must be one of plain, scram-sha-256, scram-sha-512/],
      ['kafka://default/orders', { sasl: { mechanism: 'plain', username: 'u' } }, /sasl\.password is required/],
      ['kafka://default/orders', { sasl: { mechanism: 'plain', username: 'u', password: 'p', tls: 'no' } }, /sasl\.tls must be true or false/],
      [origin, { sasl: { mechanism: 'plain', username: 'u', password: 'p' } }, /sasl is for Kafka clusters and topics/],
    ];
    for (const [key, body, fault] of table) {
      const answer = await patchCredentials(service.baseUrl, key, body);
      expect([answer.status, answer.body['code']], JSON.stringify(body)).to.deep.equal([400, 'invalid_request']);
      expect(answer.body['error']).to.match(fault);
    }
    await set(origin, login);
    expect((await patchCredentials(service.baseUrl, origin, { bearer: { token: 'x' } })).body['error']).to.match(/at most one/);
    expect((await set(origin, { ...{ basic: null }, bearer: { token: 'x' } }))['basic']).to.equal(null);
  });

  it('are in nothing that is shown, logged or stored, whatever goes wrong', async () => {
    const secret = 'marked-secret-0815/ü';
    const ascii = 'marked-token-0815';
    receiver.on('/quotes', ({ headers }) => ({ kind: 'answer', status: 400, body: `no ${JSON.stringify(headers)} ${ascii} ${secret}` }));
    receiver.on('/resets', { kind: 'break', when: 'before_headers' });
    await set(origin, { headers: { 'x-api-key': ascii }, basic: { user: 'u', password: secret } });
    await set(`${origin}/quotes/bearer`, { bearer: { token: ascii } });
    await eventuallySent('/ok', `Basic ${Buffer.from(`u:${secret}`).toString('base64')}`);
    receiver.on('/quotes/bearer', ({ headers }) => ({ kind: 'answer', status: 400, body: headers['authorization'] ?? '' }));
    const shown: string[] = [];
    for (const path of ['/quotes', '/quotes/bearer', '/resets']) {
      const task = httpTask(receiver.url(path), { on_exhausted: 'park' });
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      shown.push(JSON.stringify(await getTask(service.baseUrl, task.id)));
    }
    expect(shown[1]).to.contain('http_client_error: HTTP 400: ***');
    const stored = JSON.stringify(await service.redis.hgetall(`${service.prefix}:credentials:of`));
    expect(stored).to.contain('k2.');
    const texts = [...shown, stored, JSON.stringify((await call(service.baseUrl, credentialsPath(origin))).body), JSON.stringify((await call(service.baseUrl, '/audit')).body), JSON.stringify((await call(service.baseUrl, '/failures')).body), service.log];
    for (const text of texts) for (const mark of [...marksOf(secret), ...marksOf(ascii), Buffer.from(`u:${secret}`).toString('base64')]) expect(text).to.not.contain(mark);
  });

  it('that were copied to another key are not used: nothing is sent, no attempt is used, and the log says so', async () => {
    await set(`${origin}/a`, { bearer: { token: 'of-a' } });
    await set(`${origin}/b`, { bearer: { token: 'of-b' } });
    await eventuallySent('/a', 'Bearer of-a');
    const hash = `${service.prefix}:credentials:of`;
    await service.redis.hset(hash, `${origin}/b`, (await service.redis.hget(hash, `${origin}/a`)) ?? '');
    await service.redis.incr(`${service.prefix}:credentials:version`);
    await eventually(() => expect(service.log).to.match(/credentials of a destination cannot be decrypted.*\/b/));
    const task = httpTask(receiver.url('/b'));
    await submitNew(service.baseUrl, task);
    await eventually(async () => expect(JSON.stringify((await getTask(service.baseUrl, task.id)).timeline)).to.contain('credentials_unreadable'));
    expect((await getTask(service.baseUrl, task.id)).attempt).to.equal(0);
    expect(receiver.requestsTo('/b')).to.have.length(0);
  });
});

describe('credentials of destinations in prod without SECRETS_KEYS', () => {
  it('are refused, can be looked at, and removed', async () => {
    const service = await InProcessService.ready({ environment: 'prod', secretsKeys: '' });
    try {
      const refused = await patchCredentials(service.baseUrl, 'https://api.example.com', { bearer: { token: 'x' } });
      expect([refused.status, refused.body['code']]).to.deep.equal([400, 'secrets_not_configured']);
      expect((await call(service.baseUrl, credentialsPath('https://api.example.com'))).body).to.deep.equal({
        key: 'https://api.example.com', id: '~aHR0cHM6Ly9hcGkuZXhhbXBsZS5jb20', headers: null, basic: null, bearer: null, oauth2: null, client_certificate: null, sasl: null, signing: null,
      });
      expect((await patchCredentials(service.baseUrl, 'https://api.example.com', { bearer: null })).status).to.equal(200);
      expect((await call(service.baseUrl, credentialsPath('https://api.example.com'), { method: 'DELETE' })).status).to.equal(200);
    } finally {
      await service.close();
    }
  });
});
