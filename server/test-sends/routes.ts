import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { CallerLimits } from '../../shared/config/config.js';
import { toWireReceipt } from '../../shared/domain/destinations/destination.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { flowOf } from '../../shared/domain/flow/flow-key.js';
import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { printFailure } from '../../shared/domain/task/outgoing-message.js';
import { sealTask } from '../../shared/domain/task/task-secrets.js';
import type { Logger } from '../../shared/logging/logger.js';
import { encodeTask } from '../../shared/queue/tasks/task-codec.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TestSendAnswer } from '../../shared/queue/test-sends/test-send-store.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { jsonAnswer } from '../http/answer.js';
import { askedChange, MAX_CHANGE_BYTES } from '../http/asked-change.js';
import { readJsonBody } from '../http/json-body.js';
import { performed } from '../http/operator-action.js';
import { printTime } from '../http/print-time.js';
import type { Route } from '../http/route.js';
import type { ParseTask } from '../tasks/schema.js';
import { parseTestSend } from './parse-test-send.js';

export interface TestSendParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting' | 'fleet'>;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly parseTask: ParseTask;
  readonly secrets: SecretBox;
  readonly mask: PathMask;
  /** Time for the send itself, ms. */
  readonly testSendLimitMs: number;
  readonly callerLimits: Pick<CallerLimits, 'testSendsPerMinute'>;
  readonly logger: Logger;
}

/** A worker hears of requests five times a second, and has its answer to write. */
const WORKER_HAS_MS = 2_000;
const LOOK_EVERY_MS = 50;

/**
 * Sends once, to see what the receiver says. It has to leave through the doors of the workers, where addresses are judged and credentials and
 * signatures added, so a worker is asked: this process opens no connection to a destination.
 */
export const testSendRoutes: readonly Route<TestSendParts>[] = [
  {
    method: 'POST',
    path: '/test-sends',
    role: 'operate',
    permission: 'edit',
    body: 'json',
    query: ['reason'],
    operationId: 'sendTest',
    metricLabel: '/test-sends',
    handle: async (context, parts) => {
      const { queue, fleetSettings, mask } = parts;
      const id = `test-${randomUUID()}`;
      const { task, reason } = parseTestSend(await readJsonBody(context, MAX_CHANGE_BYTES, { code: 'invalid_task' }), id, parts.parseTask);
      const asked = askedChange(context, reason);
      const { defaultBrokers } = await fleetSettings.inForce();
      const { endpoint } = flowOf(task.destination, undefined, defaultBrokers, mask);
      if ((await queue.fleet.withFlow((store) => store.snapshot([]))).workers === 0) throw noWorker('no worker runs, so nothing was sent');
      const { id: callerId, type } = context.caller;
      const { testSendsPerMinute: perMinute } = parts.callerLimits;
      const waitMs = await queue.fleet.withTestSends((store) => store.takeTurn(callerId ?? type, id, perMinute));
      if (waitMs > 0) throw new RequestError('rate_limited', `${perMinute} test sends a minute may be made; nothing was sent`, undefined, { retryAfterS: Math.ceil(waitMs / 1_000), notes: { reason: 'test_sends', limit: 'TEST_SENDS_PER_MINUTE' } });
      return performed(context, parts, { action: 'destination.test_send', target: { type: 'destination', id: endpoint }, asked }, async () => {
        const answer = await sent(id, encodeTask(sealTask(task, parts.secrets)), parts);
        return { result: jsonAnswer(200, { id, destination_key: endpoint, ...toWireAttempt(answer) }) };
      });
    },
  },
];

/** @throws RequestError no_worker, overloaded */
async function sent(id: string, task: string, { queue, testSendLimitMs: limitMs }: TestSendParts): Promise<TestSendAnswer> {
  const keptMs = limitMs + WORKER_HAS_MS;
  const endsAt = performance.now() + keptMs;
  if (!(await queue.fleet.withTestSends((store) => store.ask({ id, task, limitMs }, keptMs)))) throw new RequestError('overloaded', 'too many test sends wait for the workers; nothing was sent', undefined, { notes: { limit: 'test sends that wait for a worker' } });
  while (performance.now() < endsAt) {
    const answer = await queue.fleet.withTestSends((store) => store.readAnswer(id));
    if (answer !== undefined) return answer;
    await wait(LOOK_EVERY_MS);
  }
  throw noWorker('no worker has answered in time: it may have been sent');
}

function noWorker(message: string): RequestError {
  return new RequestError('no_worker', message);
}

/** As in the timeline of a task, but that nothing follows from it. */
function toWireAttempt({ startedAt, durationMs, worker, result }: TestSendAnswer): object {
  const send = { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', started_at: printTime(startedAt), duration_ms: durationMs, outcome: result.kind };
  if (result.kind === 'delivered') return { ...send, error_code: null, http_status: null, ...toWireReceipt(result.receipt), error: null, worker };
  const { code, detail, httpStatus = null } = result;
  return { ...send, error_code: code, http_status: httpStatus, error: printFailure(code, detail), worker };
}
