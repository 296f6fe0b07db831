import { get } from 'node:http';
import { gunzipSync } from 'node:zlib';

import { expect } from 'chai';

import { readText, readYaml } from '../../../unit/docs/repository-file.js';
import { sendRaw, type RawAnswer, type RawRequest } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';

describe('the contract, as files and as a page', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  const send = (wanted: RawRequest): Promise<RawAnswer> => sendRaw(service.baseUrl, wanted);

  it('is the same as YAML and as JSON', async () => {
    const [yaml, json] = [await send({ path: '/openapi.yaml' }), await send({ path: '/openapi.json' })];
    expect([yaml.text, yaml.headers['content-type']]).to.deep.equal([readText('docs/openapi.yaml'), 'application/yaml; charset=utf-8']);
    expect(json.headers['content-type']).to.equal('application/json; charset=utf-8');
    expect(JSON.parse(json.text)).to.deep.equal(readYaml('docs/openapi.yaml'));
  });

  it('has a page that loads two files of this service, which a browser may keep as long as they are the same', async () => {
    const page = await send({ path: '/docs?utm=x' });
    expect([page.status, page.headers['content-type'], page.headers['cache-control']]).to.deep.equal([200, 'text/html; charset=utf-8', 'no-store']);
    expect(page.headers['content-security-policy']).to.include("default-src 'none'").and.to.include("frame-ancestors 'none'");
    expect(page.headers['content-security-policy']).to.not.match(/unsafe|https?:|\*/);
    expect(page.text).to.not.match(/https?:/);
    const files = [...page.text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(files).to.have.lengthOf(2);
    for (const path of files) {
      const kept = await send({ path });
      expect([kept.status, kept.headers['cache-control']], path).to.deep.equal([200, 'public, max-age=31536000, immutable']);
      expect(kept.headers['content-type'], path).to.match(/^text\/(?:javascript|css); charset=utf-8$/);
      expect((await send({ path: `${path}0` })).headers['cache-control'], 'another version').to.equal('no-store');
      expect((await send({ path: path.replace(/\?.*/, '') })).headers['cache-control'], 'no version').to.equal('no-store');
      expect((await send({ path: path.replace('?v=', '?w=') })).status, 'an unknown parameter').to.equal(400);
    }
  });

  it('sends the files compressed to those who take that, and as they are to others', async () => {
    const url = `${service.baseUrl}/docs/swagger-ui.css`;
    const plain = await send({ path: '/docs/swagger-ui.css' });
    expect([plain.headers['content-encoding'], plain.headers.vary, plain.text]).to.deep.equal([undefined, 'Accept-Encoding', readText('vendor/swagger-ui/swagger-ui.css')]);
    for (const [accepts, isCompressed] of [['gzip, deflate, br, zstd', true], ['GZIP;q=0.5', true], ['gzip;q=0', false], ['gzip; q=0.0, br', false], ['x-gzipped', false], ['*', false], ['', false]] as const) {
      const answer = await new Promise<{ encoding: string | undefined; bytes: Buffer }>((resolve, reject) => {
        get(url, { headers: { 'accept-encoding': accepts } }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', () => resolve({ encoding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) })).once('error', reject);
        }).once('error', reject);
      });
      expect(answer.encoding, accepts).to.equal(isCompressed ? 'gzip' : undefined);
      expect((isCompressed ? gunzipSync(answer.bytes) : answer.bytes).toString(), accepts).to.equal(plain.text);
    }
  });

  it('has no other files below it', async () => {
    for (const path of ['/docs/LICENSE', '/docs/README.md', '/docs/..%2f..%2fpackage.json', '/docs/%2e%2e', '/docs/constructor', '/docs/swagger-ui.css/x', '/docs/swagger-ui-bundle.js.map']) {
      expect((await send({ path })).status, path).to.equal(404);
    }
  });
});
