import { traceContextOf } from '../../shared/domain/trace-context.js';
import type { Tracing } from '../../shared/telemetry/tracing/tracing.js';
import type { RequestContext } from '../http/request-context.js';

/** Probes and scrapes come every few seconds, and nobody asks what became of one. */
const untraced: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/metrics']);

/** A span for each request, from its headers to the end of its answer. */
export function traceRequests(tracing: Tracing): (context: RequestContext) => void {
  return (context) => {
    const { request, response, match, method } = context;
    const { metricLabel: route } = match.served;
    if (untraced.has(route)) return;
    // The path of the log: a destination in it, or a url, which may have a password, is not shown.
    const { path } = context.logFields;
    const span = tracing.beginRequest({ method, route, path: String(path), trace: traceContextOf(request.headers['traceparent'], undefined) });
    context.span = span;
    response.once('close', () => span.end(response.headersSent ? response.statusCode : undefined));
  };
}
