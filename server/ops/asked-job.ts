import { jobIdOf, taskIdOf } from '../../shared/queue/names.js';
import { jobInQuery } from './board-address.js';

/**
 * Which job a page of the board means. The board's page of one job takes encodings off the id in its own address: one
 * when a person comes from the list, two when the page is loaded again. So for `t-a%2Fb` it asks for `t-a/b`, and for
 * `t-a%252Fb`, the job of the task `a%2Fb`, it asks for `t-a%2Fb` or `t-a/b`: ids that are, or mean, the job of `a/b`.
 *
 * The address of the page is right, and the browser sends it along (Referer). Without it, only a job that is the only
 * one of those meant by the text is certain.
 */
export type AskedJob =
  | { readonly kind: 'certain'; readonly jobId: string }
  /** The ids come in the order of likelihood. `orElse`: what is meant where none of them is there: the job of the task that has this very id, `t-1`. */
  | { readonly kind: 'one_of'; readonly jobIds: readonly string[]; readonly orElse: string };

/**
 * @param asked   the id in the request, decoded as usual
 * @param referer the header, if there is one
 */
export function askedJob(asked: string, referer: string | undefined): AskedJob {
  const onPage = jobOfPage(referer);
  if (onPage !== undefined && requestsOfPage(onPage).includes(asked)) return { kind: 'certain', jobId: onPage };
  const jobIdOfText = asked.isWellFormed() ? jobIdOf(asked) : asked;
  return asked.startsWith('t-') ? { kind: 'one_of', jobIds: jobsMeantBy(asked), orElse: jobIdOfText } : { kind: 'certain', jobId: jobIdOfText };
}

/** `http://host/admin/queues/queue/deliver-0/t-a%252Fb` -> `t-a%252Fb` */
function jobOfPage(referer: string | undefined): string | undefined {
  if (referer === undefined || !URL.canParse(referer)) return undefined;
  const { pathname, search } = new URL(referer);
  const part = /\/queue\/[^/]+\/([^/]+)\/?$/.exec(pathname)?.[1];
  if (part === undefined) return undefined;
  return jobInQuery(part, search) ?? (taskIdOf(part) === undefined ? undefined : part);
}

/** The ids that the page of a job asks for: its own, and what the two ways to decode its address make of it. */
function requestsOfPage(jobId: string): readonly string[] {
  const loaded = decoded(jobId, decodeURI);
  return [jobId, decoded(jobId, decodeURIComponent), loaded === undefined ? undefined : decoded(loaded, decodeURIComponent)].filter((id) => id !== undefined);
}

function decoded(text: string, decode: (text: string) => string): string | undefined {
  try {
    return decode(text);
  } catch {
    return undefined; // the page cannot go on with it either
  }
}

/** Without an address of a page: the job of that very id, and those that lose one encoding, or two. */
function jobsMeantBy(asked: string): readonly string[] {
  const once = jobIdOf(asked.slice('t-'.length));
  const twice = jobIdOf(once.slice('t-'.length));
  return [...new Set([...(taskIdOf(asked) === undefined ? [] : [asked]), once, twice])];
}
