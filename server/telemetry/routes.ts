import type { Metrics } from '../../shared/telemetry/metrics.js';
import { textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

export interface TelemetryParts {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
}

/** What Prometheus reads of this process. A worker has the same (workers/telemetry/worker-port.ts), without the numbers of the fleet. */
export const telemetryRoutes: readonly Route<TelemetryParts>[] = [
  {
    method: 'GET',
    path: '/metrics',
    role: 'read',
    takesMetricsToken: true,
    body: 'none',
    query: [],
    operationId: 'metrics',
    metricLabel: '/metrics',
    handle: async (_context, { metrics }) => textAnswer(200, metrics.contentType, await metrics.text()),
  },
];
