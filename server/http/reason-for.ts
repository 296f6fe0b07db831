import type { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';

/** Where the code alone says it. */
const reasonOfCode: Partial<Readonly<Record<RequestErrorCode, RefusalReason>>> = {
  unknown_host: 'host',
  origin_refused: 'origin',
  too_large: 'size',
  headers_too_large: 'headers',
  request_timed_out: 'slow',
  overloaded: 'room',
};

/** @returns undefined for what is wrong with a request itself, such as its JSON: that is counted by its code alone */
export function reasonFor({ code, notes }: Pick<RequestError, 'code' | 'notes'>): RefusalReason | undefined {
  return notes.reason ?? reasonOfCode[code];
}
