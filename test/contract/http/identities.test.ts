import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { CredentialIndex } from '../../../shared/domain/credentials/credential-index.js';
import type { Credentials } from '../../../shared/domain/credentials/credential-values.js';
import { defaultPathMask } from '../../../shared/domain/destinations/path-mask.js';
import { hostOfName } from '../../../shared/domain/flow/flow-key.js';
import { noSecretKeys } from '../../../shared/domain/secrets/secret-box.js';
import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter, type HttpAdapterOptions } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { inShort, sendTo } from './sending.js';

const run = promisify(execFile);

describe('http adapter: one origin, several identities', function () {
  this.timeout(60_000);

  let folder: string;
  let server: Server;
  let origin: string;
  let adapter: DeliveryAdapter<HttpDestination>;
  let entries: [string, { readonly identity: string; readonly key: string; readonly values: Credentials }][] = [];
  const seen: { readonly path: string; readonly who: string; readonly isResumed: boolean }[] = [];

  const pem = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

  async function makeCertificate(name: string, extra: readonly string[] = []): Promise<void> {
    await run('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2', '-subj', `/CN=${name}`, ...extra, '-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)]);
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'retry-identities-'));
    await makeCertificate('server', ['-addext', 'subjectAltName=IP:127.0.0.1']);
    await Promise.all(['a', 'b'].map((name) => makeCertificate(name)));
    server = createServer({ key: await pem('server.key'), cert: await pem('server.pem'), requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const socket = request.socket as TLSSocket;
      const { subject } = socket.getPeerCertificate();
      seen.push({ path: request.url ?? '', who: (subject as { CN?: string } | undefined)?.CN ?? 'nobody', isResumed: socket.isSessionReused() });
      request.resume().on('end', () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ca = await pem('server.pem');
    const own = async (name: string): Promise<Credentials> => ({ client_certificate: { certificate: await pem(`${name}.pem`), key: await pem(`${name}.key`), ca } });
    entries = [
      [`${origin}/a`, { key: `${origin}/a`, identity: 'a', values: await own('a') }],
      [`${origin}/b`, { key: `${origin}/b`, identity: 'b', values: await own('b') }],
      [`${origin}/c`, { key: `${origin}/c`, identity: 'c', values: { client_certificate: { ca } } }],
    ];
    adapter = createAdapter();
  });
  after(async () => {
    await adapter.close();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  function createAdapter(options: HttpAdapterOptions = {}): DeliveryAdapter<HttpDestination> {
    let index = new CredentialIndex(entries, hostOfName);
    return createHttpAdapter({
      ...options,
      credentials: {
        watch: {
          has: (host) => index.has(host),
          find: (host, path, exact) => {
            index = new CredentialIndex(entries, hostOfName);
            return index.find(host, path, exact);
          },
        },
        tokens: () => {
          throw new Error('no token is asked for here');
        },
        secrets: noSecretKeys,
        mask: defaultPathMask,
      },
    });
  }

  it('shows each path its own certificate, over connections and sessions of its own', async () => {
    const paths = ['/a', '/b', '/c'];
    for (let round = 0; round < 10; round += 1) {
      const results = await Promise.all(Array.from({ length: 30 }, (_, nth) => sendTo(adapter, `${origin}${paths[(nth + round) % 3] ?? ''}`)));
      expect(new Set(results.map(inShort))).to.deep.equal(new Set(['delivered 200']));
    }
    expect(seen).to.have.length(300);
    const whoAt = (path: string): Set<string> => new Set(seen.filter((each) => each.path === path).map(({ who }) => who));
    expect(paths.map((path) => [...whoAt(path)])).to.deep.equal([['a'], ['b'], ['nobody']]);
    expect(inShort(await sendTo(adapter, `${origin}/elsewhere`)), 'the private authority is trusted for its paths alone').to.equal('tls_failed');
  });

  it('uses a certificate that replaced another one at once, although connections are kept', async () => {
    const [, b] = entries;
    if (b === undefined) throw new Error('there is no b');
    expect(inShort(await sendTo(adapter, `${origin}/a`))).to.equal('delivered 200');
    entries[0] = [`${origin}/a`, { key: `${origin}/a`, identity: 'a2', values: b[1].values }];
    expect(inShort(await sendTo(adapter, `${origin}/a`))).to.equal('delivered 200');
    expect(seen.at(-1)).to.deep.equal({ path: '/a', who: 'b', isResumed: false });
  });

  it('counts an idle connection with TLS as four without', async () => {
    const connections = (): Promise<number> => new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))));
    for (const [most, kept] of [[8, 2], [7, 1]] as const) {
      const limited = createAdapter({ maxIdleOrigins: most });
      const before = await connections();
      for (const path of ['/b', '/c']) expect(inShort(await sendTo(limited, `${origin}${path}`))).to.equal('delivered 200');
      await eventually(async () => { expect((await connections()) - before, `with room for ${most}`).to.equal(kept); });
      await limited.close();
      await eventually(async () => { expect(await connections()).to.equal(before); });
    }
  });

  it('blames the endpoint alone for an authority that was stored for it, and the host for one of the host', async () => {
    const ca = await pem('a.pem');
    const before = entries;
    for (const [key, isOfEndpoint] of [[`${origin}/other`, true], [origin, undefined]] as const) {
      entries = [[key, { key, identity: `other ${key}`, values: { client_certificate: { ca } } }]];
      const result = await sendTo(adapter, `${origin}/other`);
      expect(result).to.include({ kind: 'failed', code: 'tls_failed' });
      expect([result.kind === 'failed' && result.isHostWell, result.kind === 'failed' && result.isOfWholeEndpoint]).to.deep.equal([isOfEndpoint, isOfEndpoint]);
    }
    entries = before;
  });
});
