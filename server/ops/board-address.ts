import { jobIdOf, taskIdOf } from '../../shared/queue/names.js';

/** The parameter behind `?` that names the job of a page whose address cannot. */
const JOB_PARAMETER = 'job';

/**
 * The jobs that the last part of a page's address may mean, the likeliest first. A person may write the id of a task there, with or
 * without the `t-` of its job.
 *
 * | part | jobs |
 * |---|---|
 * | `t-a%2Fb` (as the board writes it) | `t-a%2Fb`, and that of the task `t-a/b` |
 * | `order-1001` | `t-order-1001` |
 * | `t-a:b` | `t-a%3Ab`, and that of the task `t-a:b` |
 *
 * @param part    as it stands in the address
 * @param decoded the same, decoded once
 */
export function jobsAtAddress(part: string, decoded: string): readonly string[] {
  if (!decoded.isWellFormed()) return [];
  const asTask = jobIdOf(decoded);
  if (!decoded.startsWith('t-')) return [asTask];
  return [taskIdOf(part) === undefined ? jobIdOf(decoded.slice('t-'.length)) : part, asTask];
}

/** The job that `?job=` names, if the last part of the address is its encoded form. */
export function jobInQuery(part: string, search: string): string | undefined {
  const jobId = new URLSearchParams(search).get(JOB_PARAMETER);
  return jobId !== null && taskIdOf(jobId) !== undefined && encodeURIComponent(jobId) === part ? jobId : undefined;
}

/**
 * The address of a job's page, below the board. The page decodes the last part twice, so `t-50%25` would end as the broken
 * encoding `t-50%`, and the page would stay empty. Such a job is encoded once more, and named behind the `?` as well, since
 * the page of another job has the address that this makes.
 *
 * @param search what stood behind the `?` so far
 * @returns `/queue/deliver-0/t-order-1001?status=failed`
 */
export function addressOfJob(queue: string, jobId: string, search: string): string {
  const query = new URLSearchParams(search);
  query.delete(JOB_PARAMETER);
  const isReadable = canBeReadByPage(jobId);
  if (!isReadable) query.set(JOB_PARAMETER, jobId);
  const text = query.toString();
  return `/queue/${encodeURIComponent(queue)}/${isReadable ? jobId : encodeURIComponent(jobId)}${text === '' ? '' : `?${text}`}`;
}

function canBeReadByPage(part: string): boolean {
  try {
    decodeURIComponent(decodeURI(part));
    return true;
  } catch {
    return false;
  }
}
