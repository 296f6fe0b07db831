import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';

import { WebhookVerifier } from '../../../../client/verify-webhook.js';
import { credentialsPath, secretKey, setCredentials } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type ReceivedRequest, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, timeOf, waitForState } from '../../../support/tasks.js';

const root = path.resolve(import.meta.dirname, '../../../..');

interface ShownSigning {
  readonly secret?: string;
  readonly algorithm: string;
  readonly public_key: string | null;
  readonly previous_expires_at: string | null;
  readonly updated_at: string;
}

describe('signed messages', function () {
  this.timeout(60_000);
  const log = new CollectedLog();
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ secretsKeys: secretKey('k1'), log });
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  async function rotate(key: string, signing: object): Promise<ShownSigning & { readonly secret: string }> {
    const shown = (await setCredentials(service.baseUrl, key, { signing }))['signing'] as ShownSigning;
    return { ...shown, secret: shown.secret ?? '' };
  }

  async function shownSigning(key: string): Promise<ShownSigning> {
    return (await call(service.baseUrl, credentialsPath(key))).body['signing'] as ShownSigning;
  }

  async function sent(url: string, id?: string): Promise<ReceivedRequest> {
    const task = httpTask(url, { message_data: '{"order":"ä"}', ...(id === undefined ? {} : { id }) });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    const found = receiver.requests.findLast(({ taskId }) => taskId === task.id);
    if (found === undefined) throw new Error('nothing arrived');
    return found;
  }

  /** Sends until a message is signed with this secret first. */
  async function signedBy(url: string, secret: string): Promise<ReceivedRequest> {
    return eventually(async () => {
      const request = await sent(url);
      expect(isOfficial(secret, request, 0), 'the newest secret signs first').to.equal(true);
      return request;
    });
  }

  /** Whether the official library takes the signature at this place. */
  function isOfficial(secret: string, { body, headers }: ReceivedRequest, place: number): boolean {
    try {
      new Webhook(secret).verify(body, { ...headers, 'webhook-signature': (headers['webhook-signature'] ?? '').split(' ')[place] ?? '' });
      return true;
    } catch {
      return false;
    }
  }

  it('are verified by the official library, through rotations, each of which counts its overlap from now', async () => {
    const url = receiver.url('/v1');
    const first = await rotate(url, { rotate: {} });
    expect([first.algorithm, first.public_key, first.previous_expires_at]).to.deep.equal(['v1', null, null]);
    expect((await signedBy(url, first.secret)).headers['webhook-signature']).to.not.contain(' ');
    expect(await shownSigning(url), 'shown once').to.not.have.property('secret');

    const second = await rotate(url, { rotate: { overlap: 1 } });
    expect((await call(service.baseUrl, credentialsPath(url))).body['signing']).to.include({ algorithm: 'v1' });
    const both = await signedBy(url, second.secret);
    // The overlap ends, and then the new one signs alone.
    await eventually(async () => expect((await sent(url)).headers['webhook-signature']).to.not.contain(' '));
    expect((await shownSigning(url)).previous_expires_at).to.equal(null);
    expect((both.headers['webhook-signature'] ?? '').split(' ').length).to.be.at.most(2);

    const third = await rotate(url, { rotate: {} });
    const day = 86_400_000;
    expect(timeOf(third.previous_expires_at) - timeOf(third.updated_at)).to.equal(day);
    const request = await signedBy(url, third.secret);
    expect(isOfficial(second.secret, request, 1), 'the one before signs as well').to.equal(true);

    const fourth = await rotate(url, { rotate: {} });
    const newest = await signedBy(url, fourth.secret);
    expect([isOfficial(third.secret, newest, 1), newest.headers['webhook-signature']?.split(' ').length], 'two at most').to.deep.equal([true, 2]);
    await setCredentials(service.baseUrl, url, { headers: { 'x-a': '1' } });
    const { secret: _secret, ...before } = fourth;
    expect(await shownSigning(url), 'another change leaves times alone').to.deep.equal(before);
    const texts = [service.log, JSON.stringify((await call(service.baseUrl, '/audit')).body), JSON.stringify(await service.redis.hgetall(`${service.prefix}:credentials:of`))];
    for (const text of texts) for (const { secret } of [first, second, third, fourth]) expect(text).to.not.contain(secret.slice(6));
  });

  it('of v1a are verified by the public key that GET shows', async () => {
    const url = receiver.url('/v1a');
    const made = await rotate(url, { algorithm: 'v1a', rotate: {} });
    const { public_key: publicKey } = await shownSigning(url);
    expect([publicKey?.slice(0, 5), made.secret.slice(0, 5)]).to.deep.equal(['whpk_', 'whsk_']);
    const verifier = new WebhookVerifier(publicKey ?? '');
    const request = await eventually(async () => {
      const found = await sent(url);
      expect(found.headers['webhook-signature']).to.match(/^v1a,/);
      return found;
    });
    expect(verifier.verify(request.body, request.headers)?.id).to.equal(request.headers['webhook-id']);
    expect(verifier.verify(`${request.body.toString()} `, request.headers)).to.equal(undefined);
  });

  it('have the same id with each attempt, and another time', async () => {
    const url = receiver.url('/again');
    const { secret } = await rotate(url, { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' });
    expect(secret, 'one of the caller is not shown').to.equal('');
    await signedBy(url, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    const script = receiver.requestsTo('/again').length;
    receiver.on('/again', { kind: 'answer', status: 500 });
    const task = httpTask(url, { max_retries: 1, on_exhausted: 'park' });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    const ids = receiver.requestsTo('/again').slice(script).map(({ headers }) => headers['webhook-id']);
    expect(ids).to.have.length(2);
    expect(new Set(ids).size).to.equal(1);
  });

  for (const [language, command, file] of [
    ['TypeScript', [process.execPath, '--import', 'tsx'], 'examples/receivers/receiver.ts'],
    ['Python', ['python3'], 'examples/receivers/receiver.py'],
  ] as const) {
    it(`are verified by the example in ${language}, which drops what it has done, and does again what has failed`, async () => {
      const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
      const [program = '', ...args] = command;
      const example = spawn(program, [...args, path.join(root, file)], { env: { ...process.env, SECRETS: secret, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      example.stdout.on('data', (text: Buffer) => (said += text.toString()));
      try {
        const port = await eventually(() => {
          const found = /listening on .*"port":\s*(\d+)/.exec(said)?.[1];
          if (found === undefined) throw new Error(`it does not listen yet: ${said}`);
          return found;
        }, { withinMs: 30_000 });
        const url = `http://127.0.0.1:${port}/orders`;
        await setCredentials(service.baseUrl, url, { signing: { secret } });
        const task = httpTask(url, { message_data: '{"order":"fail once"}', max_retries: 20, base_delay: 0.1, on_exhausted: 'park' });
        await submitNew(service.baseUrl, task);
        const { timeline } = await waitForState(service.baseUrl, task.id, 'delivered');
        expect(timeline.filter(({ kind, http_status: status }) => kind === 'attempt' && status === 500), 'the work has failed once').to.have.length(1);
        await eventually(() => expect([...said.matchAll(/done msg_/g)]).to.have.length(1));

        const [id, at] = ['msg_of-a-test', String(Math.floor(Date.now() / 1_000))];
        const sign = (of: string, body: string): string => new Webhook(secret).sign(of, new Date(Number(at) * 1_000), body);
        const signature = sign(id, '{}');
        const post = async (headers: Record<string, string>, body = '{}'): Promise<number> => (await fetch(url, { method: 'POST', body, headers: { 'webhook-id': id, 'webhook-timestamp': at, ...headers } })).status;
        expect(await post({ 'webhook-signature': `v9,xx  v1,AAAA ${signature}` })).to.equal(200);
        expect(await post({ 'webhook-signature': signature })).to.equal(200);
        await eventually(() => expect([...said.matchAll(/dropped msg_of-a-test/g)]).to.have.length(1));
        expect(await post({ 'webhook-signature': `${signature.slice(0, -4)}AAA=` })).to.equal(401);
        expect(await post({})).to.equal(401);
        expect(await post({ 'webhook-signature': signature, 'webhook-timestamp': String(Number(at) - 400) })).to.equal(401);

        // Attempts that overlap: the first fails while the others wait for it, and just one of them works then.
        const overlapping = { id: 'msg_overlapping', body: '{"overlapping":"fail once"}' };
        const statuses = await Promise.all(Array.from({ length: 4 }, () => post({ 'webhook-id': overlapping.id, 'webhook-signature': sign(overlapping.id, overlapping.body) }, overlapping.body)));
        expect(statuses.sort()).to.deep.equal([200, 200, 200, 500]);
        await eventually(() => expect([said.match(/done msg_overlapping/g), said.match(/dropped msg_overlapping/g)]).to.deep.equal([['done msg_overlapping'], Array(2).fill('dropped msg_overlapping')]));
      } finally {
        await ended(example);
      }
    });
  }
});

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once('exit', () => { resolve(); });
    child.kill();
  });
}
