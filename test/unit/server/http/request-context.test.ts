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
    expect(pathInLog('PUT', '/destinations/tenant-7')).to.equal('/destinations/tenant-7');
  });

  it('name the route where the path holds a url, with its password and tokens', () => {
    const url = encodeURIComponent('https://user:hunter2@hooks.example.com/T1/a1b2c3d4e5f6g7h8i9j0');
    expect(pathInLog('PUT', `/destinations/${url}`)).to.equal('/destinations/:key');
    expect(pathInLog('POST', `/destinations/${url}/pause`)).to.equal('/destinations/:key/pause');
    expect(pathInLog('GET', `/tasks/${url}`)).to.equal('/tasks/:id');
  });
});
