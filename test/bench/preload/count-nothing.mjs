// Loaded into a worker by --import: it counts nothing of what it delivers, as if it had no metrics.
import { Distribution } from '../../../dist/shared/telemetry/series.js';
import { WorkerMetrics } from '../../../dist/workers/telemetry/worker-metrics.js';

WorkerMetrics.prototype.ended = () => undefined;
Distribution.prototype.observe = () => undefined;
