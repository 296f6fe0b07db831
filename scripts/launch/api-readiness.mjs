import { waitUntil } from '../processes/wait-until.mjs';

const TELL_AFTER_MS = 10_000;

/**
 * @param {string} baseUrl e.g. "http://127.0.0.1:8080"
 * @param {AbortSignal} signal ends the wait: stopped, or the API is gone for good
 */
export async function waitUntilReady(baseUrl, signal) {
  const startedAt = performance.now();
  let hasToldWhy = false;
  await waitUntil(
    async () => {
      const answer = await statusOf(`${baseUrl}/readyz`);
      if (answer === 200) return true;
      if (!hasToldWhy && performance.now() - startedAt > TELL_AFTER_MS) {
        hasToldWhy = true;
        console.log(`Still waiting for ${baseUrl}/readyz (${answer}): is Redis reachable? Ctrl-C stops.`);
      }
      return false;
    },
    { withinMs: Infinity, everyMs: 100, signal },
  );
}

/**
 * @param {string} url
 * @returns {Promise<number | string>} status, or why there is none
 */
async function statusOf(url) {
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return status;
  } catch (error) {
    const { cause, message } = /** @type {Error} */ (error); // fetch rejects with errors only
    return cause instanceof Error ? cause.message : message;
  }
}
