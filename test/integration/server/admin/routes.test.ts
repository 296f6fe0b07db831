import { expect } from 'chai';

import { InProcessService } from '../../../support/service-in-process.js';

describe('/admin', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.start(); });
  after(() => service.close());

  const get = (path: string): Promise<Response> => fetch(`${service.baseUrl}${path}`);

  async function assets(): Promise<readonly string[]> {
    const html = await (await get('/admin')).text();
    return [...html.matchAll(/(?:href|src)="(\/admin\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
  }

  it('is one page at each of its addresses, which loads nothing from elsewhere and runs nothing that stands in it', async () => {
    const bodies = new Set<string>();
    for (const path of ['/admin', '/admin/', '/admin/tasks?q=state:parked', '/admin/task?id=x', '/admin/destinations', '/admin/destination', '/admin/failures', '/admin/bulk-actions', '/admin/bulk-action', '/admin/audit']) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('content-type')]).to.deep.equal([path, 200, 'text/html; charset=utf-8']);
      expect(answer.headers.get('content-security-policy')).to.equal("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
      bodies.add(await answer.text());
    }
    expect(bodies.size).to.equal(1);
    expect((await get('/admin/nothing')).status).to.equal(404);
  });

  it('has all its files, with every import of theirs at its place', async () => {
    const paths = await assets();
    expect(paths.some((path) => path.endsWith('/server/admin-page/app.js'))).to.equal(true);
    for (const path of new Set(paths)) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('cache-control')]).to.deep.equal([path, 200, 'public, max-age=31536000, immutable']);
      const text = await answer.text();
      if (!path.endsWith('.js')) continue;
      for (const [, target = ''] of text.matchAll(/(?:^|[\s;}])(?:import|export)[^'"();]*?from\s*["']([^"']+)["']/g)) {
        expect(target, `${path} imports ${target}`).to.match(/^\.{1,2}\//);
        expect(paths, `${path} imports ${target}`).to.include(new URL(target, `http://x${path}`).pathname);
      }
    }
  });

  it('gives away no other file of the service, whatever is asked for', async () => {
    const [first = ''] = await assets();
    const root = first.split('/').slice(0, 4).join('/');
    for (const path of ['shared/config/load.js', 'server/main.js', '../../../package.json', '..%2f..%2f..%2fpackage.json', 'server/admin-page/app.js.map', 'server/admin-page/', 'vendor/', '%00', 'vendor/preact.js/x']) {
      expect([path, (await get(`${root}/${path}`)).status]).to.deep.equal([path, 404]);
    }
    expect((await get(`${root.replace(/[^/]+$/, '0000')}/server/admin-page/app.js`)).status, 'of another version').to.equal(404);
  });

  it('is small: what a browser loads is at most 100 KB packed', async () => {
    let packed = 0;
    for (const path of new Set(await assets())) {
      const answer = await fetch(`${service.baseUrl}${path}`, { headers: { 'Accept-Encoding': 'gzip' } });
      packed += Number(answer.headers.get('content-length'));
      await answer.arrayBuffer();
    }
    expect(packed).to.be.within(20_000, 100_000);
  });
});
