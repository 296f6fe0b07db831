import { RequestError } from '../../shared/domain/errors.js';
import { isBoardStatus } from '../../shared/queue/tasks/board-jobs.js';

/** Jobs of one status on a page. The board's own dialog takes any number. */
const MOST_JOBS_PER_PAGE = 50;
const LAST_PAGE = 1_000_000;

const known = ['activeQueue', 'status', 'page', 'jobsPerPage'];

/**
 * The query of the board's list, as the board is to see it. A page that is too large is made smaller: the board keeps the
 * wish of its user, and goes on asking for it.
 *
 * @param search the part of the address behind the `?`; parameters that the list does not know are left out
 * @returns the same without the faults, such as `activeQueue=deliver-0&status=failed&page=1&jobsPerPage=50`
 * @throws RequestError invalid_request for a parameter that stands there twice, and for a value that means nothing
 */
export function boardListQuery(search: string): string {
  const asked = new URLSearchParams(search);
  const query = new URLSearchParams();
  for (const name of known) {
    const values = asked.getAll(name);
    if (values.length > 1) throw refusal(name, 'stands there twice');
    const [value = ''] = values;
    // The board takes an empty value for none.
    if (value !== '') query.set(name, checked(name, value));
  }
  return query.toString();
}

function checked(name: string, value: string): string {
  switch (name) {
    case 'page':
      return String(wholeNumber(name, value, LAST_PAGE));
    case 'jobsPerPage':
      return String(wholeNumber(name, value, MOST_JOBS_PER_PAGE));
    case 'status':
      if (value !== 'latest' && !isBoardStatus(value)) throw refusal(name, 'is no status of a job');
      return value;
    default:
      if (!isEncoded(value)) throw refusal(name, 'cannot be decoded');
      return value;
  }
}

/** @returns 1..most */
function wholeNumber(name: string, value: string, most: number): number {
  if (!/^\d+$/.test(value) || Number(value) < 1) throw refusal(name, 'has to be a whole number from 1 on');
  return Math.min(Number(value), most);
}

/** The board decodes the name of the queue once more than it has to. */
function isEncoded(value: string): boolean {
  try {
    decodeURIComponent(value);
    return true;
  } catch {
    return false;
  }
}

function refusal(name: string, fault: string): RequestError {
  const message = `the parameter "${name}" ${fault}`;
  return new RequestError('invalid_request', message, [{ field: name, message }]);
}
