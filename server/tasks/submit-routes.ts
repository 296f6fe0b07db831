import type { Logger } from '../../shared/logging/logger.js';
import { readJsonBody } from '../http/json-body.js';
import type { FastPathRoute } from '../http/fast-path.js';
import { sendJson } from '../http/send-json.js';
import { submitBatch } from './batch-submission.js';
import type { ParseTask } from './schema.js';
import type { SubmitTask } from './submit-task.js';

export interface SubmitRoutesDeps {
  readonly parseTask: ParseTask;
  readonly submitTask: SubmitTask;
  /** Of one task, alone or in a batch. */
  readonly maxBodyBytes: number;
  readonly logger: Logger;
}

/** The two that are called for every task there is. */
export function submitRoutes(deps: SubmitRoutesDeps): readonly FastPathRoute[] {
  const { parseTask, submitTask, maxBodyBytes } = deps;
  return [
    {
      method: 'POST',
      path: '/tasks',
      handle: async (request, response) => {
        const { status, body } = await submitTask(parseTask(await readJsonBody(request, maxBodyBytes)));
        sendJson(response, status, body);
      },
    },
    { method: 'POST', path: '/tasks/batch', handle: (request, response) => submitBatch(request, response, deps) },
  ];
}
