import type { RequestHandler } from 'express';
import { RequestError } from '../../shared/domain/errors.js';

/** Paths that exist, for the difference between 404 and 405. A test compares them with docs/openapi.yaml. */
export const methodsOf: readonly (readonly [path: RegExp, methods: readonly string[]])[] = [
  [/^\/tasks\/?$/, ['POST']],
  [/^\/tasks\/batch\/?$/, ['POST']],
  [/^\/tasks\/[^/]+$/, ['GET', 'DELETE']],
  [/^\/tasks\/[^/]+\/retry$/, ['POST']],
  [/^\/destinations\/?$/, ['GET']],
  [/^\/destinations\/[^/]+$/, ['GET', 'PUT', 'DELETE']],
  [/^\/destinations\/[^/]+\/(pause|resume)$/, ['POST']],
  [/^\/(stats|health|livez|readyz|openapi\.yaml)$/, ['GET']],
];

/** Behind all routes: what got here has no route. */
export function allowMethods(): RequestHandler {
  return (request, response) => {
    const known = methodsOf.find(([path]) => path.test(request.path));
    if (known === undefined) throw new RequestError('not_found', `there is nothing at ${request.path}`);
    response.set('Allow', known[1].join(', '));
    throw new RequestError('method_not_allowed', `${request.method} is not possible here, only ${known[1].join(' and ')}`);
  };
}
