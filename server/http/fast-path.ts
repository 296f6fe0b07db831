import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Router } from 'express';
import type { Logger } from '../../shared/logging/logger.js';
import { sendError } from './error-response.js';

/** A route that needs nothing of Express: no parameters, no query, no middleware. */
export interface FastPathRoute {
  readonly method: 'POST';
  readonly path: string;
  /** What it throws is answered by error-response.ts. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

/**
 * Answers requests for exactly these paths by themselves, and leaves everything else to Express, whose way to a route
 * costs more than all that the route does (decision 6).
 */
export function fastPathFirst(routes: readonly FastPathRoute[], express: RequestListener, logger: Logger): RequestListener {
  return (request, response) => {
    const route = routes.find(({ method, path }) => request.url === path && request.method === method);
    if (route === undefined) express(request, response);
    else route.handle(request, response).catch((thrown: unknown) => sendError(request, response, thrown, logger));
  };
}

/** The same routes in Express, for what it also takes for their paths: `/tasks/`, `/Tasks`, `/tasks?x`. */
export function fastPathInExpress(routes: readonly FastPathRoute[]): Router {
  const router = Router();
  for (const { path, handle } of routes) router.post(path, handle);
  return router;
}
