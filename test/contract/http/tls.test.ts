import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { createTcpServer, inShort, sendTo } from './sending.js';

const run = promisify(execFile);

describe('http adapter: TLS', function () {
  this.timeout(30_000);

  let folder: string;
  let receiver: Receiver;
  let adapter: DeliveryAdapter<HttpDestination>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'retry-tls-'));
    await run('openssl', [
      'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2',
      '-subj', '/CN=retry test', '-addext', 'subjectAltName=IP:127.0.0.1',
      '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'),
    ]);
    receiver = await createReceiver({
      tls: { key: await readFile(join(folder, 'key.pem'), 'utf8'), cert: await readFile(join(folder, 'cert.pem'), 'utf8') },
    });
  });
  after(async () => {
    await receiver.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    adapter = createHttpAdapter();
  });
  afterEach(async () => {
    await adapter.close();
    await eventually(() => { expect(receiver.openConnections).to.equal(0); });
  });

  it('is tls_failed when no known authority signed the certificate, and nothing is sent', async () => {
    expect(inShort(await sendTo(adapter, receiver.url('/')))).to.equal('tls_failed');
    expect(receiver.requests).to.have.lengthOf(0);
  });

  it('is tls_failed when the other side answers in plain HTTP', async () => {
    const plain = await createTcpServer((_bytes, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    try {
      expect(inShort(await sendTo(adapter, `https://127.0.0.1:${plain.port}/`))).to.equal('tls_failed');
    } finally {
      await plain.close();
    }
  });

  it('fails when plain HTTP meets a TLS port', async () => {
    const result = await sendTo(adapter, `http://127.0.0.1:${receiver.port}/`);
    // The server either hangs up or says so in TLS, which is no HTTP.
    expect(inShort(result)).to.be.oneOf(['connection_reset', 'response_invalid']);
  });

  it('delivers, and uses the connection again, when NODE_EXTRA_CA_CERTS vouches for the certificate', async () => {
    const { stdout } = await run(process.execPath, ['--import=tsx', '--input-type=module', '--eval', `
      import { createHttpAdapter } from './workers/adapters/http/http-adapter.ts';
      const adapter = createHttpAdapter();
      for (const [host, key] of [['127.0.0.1', 'first'], ['127.0.0.1', 'second'], ['localhost', 'third']]) {
        const attempt = { taskId: key, key, body: '{}', headers: {} };
        const destination = { type: 'http', url: 'https://' + host + ':${receiver.port}/' };
        const result = await adapter.send(attempt, destination, new AbortController().signal);
        console.log(result.kind === 'delivered' ? 'delivered' : result.code);
        await new Promise(setImmediate);
      }
      await adapter.close();
    `], { env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') } });

    // The certificate is for 127.0.0.1 only, so the third is refused.
    expect(stdout.trim().split('\n')).to.deep.equal(['delivered', 'delivered', 'tls_failed']);
    expect(receiver.requests.map((request) => request.key)).to.deep.equal(['first', 'second']);
    expect(receiver.requests[1]?.connection).to.equal(receiver.requests[0]?.connection);
  });
});
