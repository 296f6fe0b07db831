/** In the body of a task whose first attempt gets a 500. */
export const FAILS_FIRST = '"fails":true';

/** The key of a send ends in the number of its attempt, in the product and in the baselines. */
const FIRST_ATTEMPT = /x-message-key: [^\r]*\|0\r/i;

/** @param request head and body */
export function isToFail(request: string): boolean {
  return request.includes(FAILS_FIRST) && FIRST_ATTEMPT.test(request);
}
