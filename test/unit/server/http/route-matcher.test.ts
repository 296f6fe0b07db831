import { expect } from 'chai';

import { RouteMatcher } from '../../../../server/http/route-matcher.js';
import type { RequestContext } from '../../../../server/http/request-context.js';
import type { Route, RouteMethod } from '../../../../server/http/route.js';

const row = (method: RouteMethod, path: `/${string}`): Route<unknown> => ({ method, path, role: 'none', body: 'none', query: [], operationId: null, metricLabel: `${method} ${path}`, handle: async () => ({ status: 204 }) });

describe('RouteMatcher', () => {
  const matcher = new RouteMatcher([row('GET', '/a/*'), row('GET', '/a/:id'), row('GET', '/a/fixed'), row('POST', '/a/:name'), row('DELETE', '/a/:x/:y'), row('GET', '/')]);

  const table: readonly (readonly [method: string, target: string, label: string, params?: Readonly<Record<string, string>>])[] = [
    ['GET', '/a/fixed', 'GET /a/fixed'],
    ['GET', '/a/x', 'GET /a/:id', { id: 'x' }],
    ['GET', '/a/x/', 'GET /a/:id', { id: 'x' }],
    ['HEAD', '/a/x?y', 'GET /a/:id', { id: 'x' }],
    ['POST', '/a/fixed', 'POST /a/:name', { name: 'fixed' }],
    ['DELETE', '/a/x%2Fy/%C3%BC', 'DELETE /a/:x/:y', { x: 'x/y', y: 'ü' }],
    ['GET', '/a', 'GET /a/*'],
    ['GET', '/a/', 'GET /a/*'],
    ['GET', '/a/x/y/z', 'GET /a/*'],
    ['GET', '/', 'GET /'],
    ['GET', 'http://h', 'GET /'],
    ['GET', 'http://h/a/x', 'GET /a/:id', { id: 'x' }],
    ['PUT', '/a/x', 'other method'],
    ['OPTIONS', '/a/x', 'options'],
    ['OPTIONS', '*', 'options'],
    ['GET', '*', 'unknown path'],
    ['GET', '', 'unknown path'],
    ['GET', 'a/x', 'unknown path'],
    ['GET', '/b', 'unknown path'],
    ['GET', '/A/x', 'unknown path'],
    ['GET', '//', 'unknown path'],
    ['GET', '/a/%', 'malformed path'],
    ['GET', '/a/%c3%28', 'malformed path'],
  ];
  for (const [method, target, label, params = {}] of table) {
    it(`finds ${label} for ${method} ${target}`, () => {
      const match = matcher.match(method, target);
      expect([match.served.metricLabel, Object.fromEntries(match.params)]).to.deep.equal([label, params]);
    });
  }

  it('names all methods of a path, whichever rows have them', () => {
    expect(matcher.match('PUT', '/a/fixed').allow).to.equal('GET, HEAD, POST, OPTIONS');
    expect(matcher.match('PUT', '/a/x/y').allow).to.equal('GET, HEAD, DELETE, OPTIONS');
    expect(matcher.match('OPTIONS', '*').allow).to.equal('GET, HEAD, POST, DELETE, OPTIONS');
    expect(matcher.match('GET', '/nothing').allow).to.equal('');
  });

  it('gives the query as it came', () => {
    expect(matcher.match('GET', '/a/x?b=1?c')).to.include({ path: '/a/x', search: 'b=1?c' });
  });

  const hints: readonly (readonly [method: string, target: string, said: string])[] = [
    ['GET', '/tasks/a/b', 'there is nothing at /tasks/a/b: a / in an id or key must be written as %2F, as in /tasks/a%2Fb'],
    ['DELETE', '/tasks/a/b/c', 'there is nothing at /tasks/a/b/c: a / in an id or key must be written as %2F, as in /tasks/a%2Fb%2Fc'],
    ['POST', '/tasks/a/b/retry', 'there is nothing at /tasks/a/b/retry: a / in an id or key must be written as %2F, as in /tasks/a%2Fb/retry'],
    ['GET', '/tasks/%C3%BC%2Fb/c', 'there is nothing at /tasks/%C3%BC%2Fb/c: a / in an id or key must be written as %2F, as in /tasks/%C3%BC%2Fb%2Fc'],
    ['GET', '/keys/https://a.example/b', 'there is nothing at /keys/https://a.example/b: a / in an id or key must be written as %2F, as in /keys/https:%2F%2Fa.example%2Fb'],
    ['POST', '/tasks/a/cancel', 'there is nothing at /tasks/a/cancel: did you mean DELETE /tasks/a?'],
    ['POST', '/tasks/a%2Fb/c/redrive/', 'there is nothing at /tasks/a%2Fb/c/redrive/: did you mean POST /tasks/a%2Fb%2Fc/retry?'],
    ['GET', '/tasks/a/cancel', 'there is nothing at /tasks/a/cancel: a / in an id or key must be written as %2F, as in /tasks/a%2Fcancel'],
    ['POST', '/tasks/a/pause', 'there is nothing at /tasks/a/pause'],
    ['POST', '/tasks/a/rerty', 'there is nothing at /tasks/a/rerty: did you mean /tasks/a/retry?'],
    ['POST', '/tasks/a%2Fb/c/Retry/', 'there is nothing at /tasks/a%2Fb/c/Retry/: did you mean /tasks/a%2Fb%2Fc/retry?'],
    ['GET', '/tasks/a/submision', 'there is nothing at /tasks/a/submision: did you mean /tasks/a/submission? A / in an id or key must be written as %2F, as in /tasks/a%2Fsubmision'],
    ['GET', '/tasks/a/b/submision', 'there is nothing at /tasks/a/b/submision: a / in an id or key must be written as %2F, as in /tasks/a%2Fb%2Fsubmision'],
    ['DELETE', '/tasks/a/retri', 'there is nothing at /tasks/a/retri: a / in an id or key must be written as %2F, as in /tasks/a%2Fretri'],
    ['GET', '/Tasks/a', 'there is nothing at /Tasks/a: did you mean /tasks/a?'],
    ['GET', '/task/a', 'there is nothing at /task/a: did you mean /tasks/a?'],
    ...['/api/tasks/a', '/v1/tasks/a', '/API/v2/tasks/a', '//tasks/a'].map((path) => ['GET', path, `there is nothing at ${path}: did you mean /tasks/a? A path has nothing in front here, such as /api or a version`] as const),
    ['GET', '/api', 'there is nothing at /api'],
    ['GET', '/v1/nothing', 'there is nothing at /v1/nothing'],
    ['GET', '/nothing', 'there is nothing at /nothing'],
    ['GET', '/', 'there is nothing at /'],
  ];
  const tasks = new RouteMatcher([row('GET', '/tasks/:id'), row('DELETE', '/tasks/:id'), row('POST', '/tasks/:id/retry'), row('GET', '/tasks/:id/submission'), row('GET', '/keys/:key')]);
  for (const [method, target, said] of hints) {
    it(`says what may be meant by ${method} ${target}`, async () => {
      const match = tasks.match(method, target);
      let text = '';
      try {
        // The answer to a path without a row reads nothing else of the request.
        await match.served.handle({ match } as unknown as RequestContext, {});
      } catch (error) {
        text = error instanceof Error ? error.message : '';
      }
      expect(text).to.equal(said);
    });
  }

  it('does not take two rows for one method and path', () => {
    expect(() => new RouteMatcher([row('GET', '/a/:id'), row('GET', '/a/:key')])).to.throw(/two routes for GET \/a\/:/);
    expect(() => new RouteMatcher([row('GET', '/a/:id'), row('PUT', '/a/:key')])).to.not.throw();
  });
});
