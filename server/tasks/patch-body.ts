import { RequestError } from '../../shared/domain/errors.js';
import type { UncheckedFields } from '../../shared/domain/destinations/destination-row.js';
import { changeableFields, fixedFields } from '../../shared/domain/task/task-patch.js';
import { shortViolations } from '../http/short-error.js';
import { hintInTask } from './unknown-field.js';

/**
 * The fields that a body of PATCH /tasks/:id changes, with their values as they came.
 * @throws RequestError invalid_task for a body that is no object, and for each field that no task has or that can not be changed
 */
export function readPatch(body: unknown): UncheckedFields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal([{ field: '', message: 'the body must be an object with the fields to change (RFC 7396)' }]);
  const faults = Object.keys(body).filter((name) => !changeableFields.includes(name)).map((name) => ({ field: name, message: complaintAbout(name) }));
  if (faults.length > 0) throw refusal(faults);
  return body as UncheckedFields;
}

function complaintAbout(name: string): string {
  if (fixedFields.includes(name)) return `${name} can not be changed`;
  if (name === 'reason') return 'reason is not allowed in the body here: write it into the query, as in ?reason=';
  return `${name} is not allowed${hintInTask(name, changeableFields)}`;
}

function refusal(faults: readonly { readonly field: string; readonly message: string }[]): RequestError {
  const details = shortViolations(faults);
  return new RequestError('invalid_task', details.map(({ message }) => message).join('; '), details);
}
