import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

import { expect } from 'chai';

import { RequestContext } from '../../../../server/http/request-context.js';
import { RouteMatcher } from '../../../../server/http/route-matcher.js';
import { routeTable } from '../../../../server/route-table.js';

const matcher = new RouteMatcher(routeTable);

function pathInLog(method: string, target: string): unknown {
  const request = new IncomingMessage(new Socket());
  return new RequestContext(request, new ServerResponse(request), matcher.match(method, target)).logFields['path'];
}

describe('the log fields of a request', () => {
  it('have its path as it came, without the query', () => {
    expect(pathInLog('GET', '/tasks/a%2Fb?include=message_data')).to.equal('/tasks/a%2Fb');
    for (const path of ['/tasks/order:17', '/tasks/a~b', '/keys/k1/rotate', '/no-such-path']) expect(pathInLog('GET', path)).to.equal(path);
  });

  it('have its first characters alone where it is long', () => {
    expect(pathInLog('GET', `/tasks/${'a'.repeat(400)}`)).to.equal(`/tasks/${'a'.repeat(290)}...`);
  });

  it('name the route where the path holds a url, with its password and tokens', () => {
    const url = encodeURIComponent('https://user:hunter2@hooks.example.com/T1/a1b2c3d4e5f6g7h8i9j0');
    expect(pathInLog('PUT', `/destinations/${url}`)).to.equal('/destinations/:key');
    expect(pathInLog('POST', `/destinations/${url}/pause`)).to.equal('/destinations/:key/pause');
    expect(pathInLog('GET', `/tasks/${url}`)).to.equal('/tasks/:id');
  });

  it('name the route where the path holds a destination, by whatever name, or a url that is written in another way', () => {
    const url = 'https://user:hunter2@hooks.example.com/T1/a1b2';
    const once = encodeURIComponent(url);
    const id = `~${Buffer.from(url).toString('base64url')}`;
    for (const key of [id, `%7E${id.slice(1)}`, encodeURIComponent(once), encodeURIComponent(encodeURIComponent(once)), encodeURIComponent('//user:hunter2@host/x'), encodeURIComponent('https:user:hunter2@host'), 'tenant-7']) {
      expect(pathInLog('POST', `/destinations/${key}/pause`), key).to.equal('/destinations/:key/pause');
    }
    const { metricLabel } = matcher.match('GET', '/no-such-path').served;
    for (const path of [`/${url}`, `//user:hunter2@host/x`, `/destination/${id}`, `/DESTINATIONS/${id}`, `/destination/${encodeURIComponent(once)}`, `/x/https:%2F%2Fuser%3Ahunter2%40host`, `/x/user%3Ahunter2%40host`]) expect(pathInLog('GET', path), path).to.equal(metricLabel);
  });
});
