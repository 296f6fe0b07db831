import { expect } from 'chai';

import { frontPageLinks } from '../../../../server/ops/front-page.js';
import { sendRaw, type RawAnswer, type RawRequest } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';

describe('GET /', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  const send = (wanted: RawRequest): Promise<RawAnswer> => sendRaw(service.baseUrl, wanted);

  it('is a page for a browser, with links that all answer', async () => {
    const page = await send({ path: '/', headers: { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' } });
    expect([page.status, page.headers['content-type']]).to.deep.equal([200, 'text/html; charset=utf-8']);
    const links = [...page.text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href);
    expect(links).to.have.members(frontPageLinks.map(({ href }) => href));
    for (const path of links) expect((await send({ path })).status, path).to.equal(200);
    expect(page.headers['content-security-policy']).to.match(/^default-src 'none'; style-src 'sha256-[^']+';/);
    expect(page.text).to.not.match(/https?:|<script|style=/);
  });

  it('is JSON for a program that asks for it', async () => {
    const answer = await send({ path: '/', headers: { accept: 'application/json' } });
    expect(JSON.parse(answer.text)).to.deep.equal({ name: 'Kafka Retry Service', links: Object.fromEntries(frontPageLinks.map(({ name, href }) => [name, href])) });
    expect(answer.headers.vary).to.equal('Accept');
  });
});
