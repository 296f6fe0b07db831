import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter, DeliveryAttempt } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { attemptFor, createTcpServer, inShort, sendTo, type TcpServer } from './sending.js';

describe('http adapter: what goes over the wire', () => {
  let receiver: Receiver;
  let adapter: DeliveryAdapter<HttpDestination>;

  beforeEach(async () => {
    receiver = await createReceiver();
    adapter = createHttpAdapter();
  });
  afterEach(async () => {
    await adapter.close();
    await receiver.close();
  });

  async function received(url: string, attempt?: DeliveryAttempt) {
    expect(inShort(await sendTo(adapter, url, attempt === undefined ? {} : { attempt }))).to.equal('delivered 200');
    const [request] = await receiver.waitForRequests(1);
    if (request === undefined) throw new Error('nothing was received');
    return request;
  }

  it('is a POST with the headers of the design', async () => {
    const request = await received(receiver.url('/hook'), attemptFor('order-1', '{"a":"ä"}'));
    expect(request.method).to.equal('POST');
    expect(request.path).to.equal('/hook');
    expect(request.body.toString('utf8')).to.equal('{"a":"ä"}');
    expect(request.headers).to.deep.equal({
      'host': `127.0.0.1:${receiver.port}`,
      'connection': 'keep-alive',
      'content-type': 'application/json',
      'content-length': '10',
      'user-agent': 'kafka-retry-service/1.0',
      'x-message-key': 'order-1|0',
      'x-retry-task-id': 'order-1',
      'x-retry-attempt': '0',
    });
  });

  it('keeps path and query as the client wrote them', async () => {
    const request = await received(receiver.url('//a%2Fb/./c;d=1?q=%20x+y&é=ü#fragment'));
    expect(request.path).to.equal('//a%2Fb/c;d=1?q=%20x+y&%C3%A9=%C3%BC');
  });

  it('asks for / when the url has no path', async () => {
    expect((await received(`http://127.0.0.1:${receiver.port}`)).path).to.equal('/');
  });

  for (const [what, userInfo, credentials] of [
    ['user and password', 'user:pass', 'user:pass'],
    ['only a user', 'token', 'token:'],
    ['only a password', ':secret', ':secret'],
    ['percent-encoded signs', 'us%3Aer:p%40ss%2Fw', 'us:er:p@ss/w'],
    ['characters beyond ASCII', 'jörg:geheim%C3%9F', 'jörg:geheimß'],
    ['a stray percent sign', 'user:50%off', 'user:50%off'],
  ] as const) {
    it(`sends the credentials of a url as Authorization: ${what}`, async () => {
      const request = await received(`http://${userInfo}@127.0.0.1:${receiver.port}/`);
      expect(request.headers['authorization']).to.equal(`Basic ${Buffer.from(credentials).toString('base64')}`);
      expect(request.headers['host']).to.equal(`127.0.0.1:${receiver.port}`);
    });
  }

  for (const [id, onTheWire] of [
    ['a\nb', 'a%0Ab'],
    ['a\r\nX-Evil: 1', 'a%0D%0AX-Evil: 1'],
    ['a\u0000b\u007fc', 'a%00b%7Fc'],
    ['\ttab\t', '%09tab%09'],
    ['  two spaces', '%20%20two spaces'],
    ['half \ud83d a pair', 'half \ufffd a pair'],
  ] as const) {
    it(`never fails because of the id ${JSON.stringify(id)}`, async () => {
      const request = await received(receiver.url('/'), attemptFor(id));
      expect(request.headers['x-message-key']).to.equal(`${onTheWire}|0`);
      expect(request.headers).to.not.have.property('x-evil');
    });
  }

  it('keeps a space at the end of a header value', async () => {
    const request = await received(receiver.url('/'), { ...attemptFor('task'), headers: { 'x-retry-source': 'orders ' } });
    expect(request.headers['x-retry-source']).to.equal('orders%20');
  });

  it('sends an empty header value', async () => {
    const request = await received(receiver.url('/'), { ...attemptFor('task'), headers: { 'x-retry-source': '' } });
    expect(request.headers['x-retry-source']).to.equal('');
  });

  describe('byte for byte', () => {
    let wire: TcpServer;
    beforeEach(async () => {
      wire = await createTcpServer((_bytes, socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
    });
    afterEach(async () => {
      await wire.close();
    });

    it('sends header values beyond ASCII as UTF-8', async () => {
      const attempt: DeliveryAttempt = {
        taskId: 'Zürich 🚚',
        run: 1,
        edit: 0,
        phase: 'delivery',
        key: 'Zürich 🚚|0',
        body: '{}',
        headers: { 'x-retry-source': '注文', 'x-retry-client-id': 'plain' },
      };
      expect(inShort(await sendTo(adapter, `http://127.0.0.1:${wire.port}/p?q=1`, { attempt }))).to.equal('delivered 204');
      expect(wire.received.toString('utf8').split('\r\n')).to.deep.equal([
        'POST /p?q=1 HTTP/1.1',
        `host: 127.0.0.1:${wire.port}`,
        'connection: keep-alive',
        'Content-Type: application/json',
        'User-Agent: kafka-retry-service/1.0',
        'X-Message-Key: Zürich 🚚|0',
        'x-retry-source: 注文',
        'x-retry-client-id: plain',
        'content-length: 2',
        '',
        '{}',
      ]);
      expect(wire.received.includes(Buffer.from('X-Message-Key: Zürich 🚚|0\r\n', 'utf8'))).to.equal(true);
    });
  });
});
