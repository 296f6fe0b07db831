import { RequestError } from '../../shared/domain/errors.js';
import type { RequestContext } from '../http/request-context.js';

/** An id that no task can have is not an error of the caller: there is no task under it. @throws RequestError task_not_found */
export function taskIdIn(context: RequestContext): string {
  const id = context.param('id');
  if (!id.isWellFormed()) throw new RequestError('task_not_found', 'no task with such an id is known');
  return id;
}
