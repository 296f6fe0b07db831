import { useEffect, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { ApiFailure } from '../state/api.js';
import { answeredAt, status as statusOfService, trouble } from '../state/live.js';
import { distance, localTime, shortKey, words } from '../state/format.js';
import { addressOf } from '../state/location.js';
import { html, type Shown } from '../html.js';

/** Local time; the instant in UTC stands in its tooltip. `isDistance`: `3 s ago` in place of the time; `coming` is never in the past. `isExact`: with milliseconds. */
export function Time({ at, isDistance = false, isExact = false }: { readonly at: string | null | undefined; readonly isDistance?: boolean | 'coming'; readonly isExact?: boolean }): VNode {
  if (at === null || at === undefined) return html`<span class="none">–</span>`;
  const instant = new Date(at);
  // Reading it makes the text move on with each answer.
  const now = answeredAt.value === 0 ? Date.now() : Math.max(answeredAt.value, Date.now());
  return html`<time datetime=${at} title=${`${at} (UTC)`}>${isDistance ? distance(isDistance === 'coming' ? Math.max(instant.getTime(), now) : instant.getTime(), now) : localTime(instant, new Date(now), isExact)}</time>`;
}

const INSTANT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** A key of a destination; what stands behind it in a sentence is none of it. */
const KEY = /((?:https?|kafka):\/\/[^\s,;"“”()]*[^\s,;"“”().:])/;

/** A sentence of the service. The instants in it are the reader's local times, as everywhere on the page, and its destinations are links. */
export function Said({ text }: { readonly text: string }): VNode {
  return html`<span class="said">${capital(text).split(INSTANT).map((part, nth) => (nth % 2 === 1 ? html`<${Time} at=${part} />`
    : part.split(KEY).map((each, place) => (place % 2 === 0 ? each : html`<a href=${addressOf('destination', { key: each })}>${each}</a>`))))}</span>`;
}

/** The state of a task or of a bulk action. Its colour says good, waiting or bad; its word says which. */
export function Badge({ state }: { readonly state: string }): VNode {
  return html`<span class="badge ${state}">${words(state)}</span>`;
}

/** What went wrong, and what to do. */
export function Failure({ failure, reload }: { readonly failure: ApiFailure; readonly reload?: () => void }): VNode {
  const button = reload !== undefined && failure.status !== 403 && html`<button type="button" onClick=${reload}>Try again</button>`;
  // The head of the page says it for all.
  if (isTroubleOfPage(failure)) return html`<p class="soft">No answer. ${button}</p>`;
  return html`<div class="failure" role="alert">
    <p>${sentenceOf(failure)}</p>
    ${button}
  </div>`;
}

/** A view of its own can be refused for another reason, such as a shard that is away. Where Redis is away GET /status is answered, and says it. */
function isTroubleOfPage(failure: ApiFailure): boolean {
  const isSaid = failure.status === 503 && failure.code === 'redis_unavailable' && statusOfService.value?.reasons.some(({ code }) => code === failure.code) === true;
  return isSaid || ((failure.status === 0 || failure.status === 503) && trouble.value?.status === failure.status && trouble.value.code === failure.code);
}

/** What to say when a change was refused, or nobody knows whether it was made. */
export function sentenceOfChange(failure: ApiFailure): string {
  const { status, message } = failure;
  if (status === 401) return 'You are signed out. Sign in in another tab with the same key, then press again: what you wrote stays.';
  if (status === 0 || status === 503) return `${capital(message.replace(/\.$/, ''))}. It is not known whether it was done: look before you repeat it.`;
  return sentenceOf(failure);
}

export function sentenceOf({ status, code, message }: ApiFailure): string {
  if (status === 0) return `${message} What you see may be old; the page asks again by itself.`;
  if (status === 401) return 'You are signed out: the session has ended, or its key was revoked.';
  if (status === 403) return `Your key does not allow this: ${message}.`;
  if (status === 503) return `${capital(message)}. The page asks again by itself.`;
  if (status === 404 && code === 'not_found') return 'This process is of an older version, which cannot do this yet. Reload the page in a minute.';
  return `${capital(message)}.`;
}

/** An address at the beginning stays as it is. */
const capital = (text: string): string => (/^[a-z]+(?:[ ,;]|$)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

/** So much of its end is always shown. */
const TAIL = 18;

/** A destination's key without its scheme, in one line and as much room as there is. It is cut in the middle: its end tells it from others. */
export function KeyInLine({ text }: { readonly text: string }): VNode {
  const shown = shortKey(text, Infinity);
  // An empty first part would lift the other one off the line of the row.
  if (shown.length <= TAIL) return html`<span>${shown}</span>`;
  return html`<span class="ends"><span>${shown.slice(0, -TAIL)}</span><span>${shown.slice(-TAIL)}</span></span>`;
}

/** What stands where nothing is. */
export function Empty({ title, children }: { readonly title: string; readonly children?: Shown }): VNode {
  return html`<div class="empty"><p class="title">${title}</p>${children}</div>`;
}

/** Nothing for the first 300 ms: most answers are there by then, and a flash says nothing. */
export function Waiting(): VNode | null {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return isSlow ? html`<p class="soft waiting" role="status">Loading …</p>` : null;
}

/** @param isApart it opens beside the page, for a dialog must not be left by it */
export function TaskLink({ id, isApart = false }: { readonly id: string; readonly isApart?: boolean }): VNode {
  return html`<a class="id" href=${addressOf('task', { id })} target=${isApart ? '_blank' : undefined}>${id}</a>`;
}

/** Copies a text. On plain http browsers have no clipboard for pages: then the text is shown, selected. */
export function Copy({ text, title = 'Copy' }: { readonly text: string | (() => string); readonly title?: string }): VNode {
  const [said, setSaid] = useState('');
  const copy = async (event: MouseEvent): Promise<void> => {
    const whole = typeof text === 'string' ? text : text();
    const near = event.currentTarget as HTMLElement;
    setSaid((await copyText(whole, near)) ? 'Copied' : 'Press Ctrl+C');
    setTimeout(() => setSaid(''), 2_000);
  };
  return html`<button type="button" class="small" onClick=${copy} aria-live="polite">${said === '' ? title : said}</button>`;
}

/** @param near the selected text is put beside it: all that is outside an open dialog cannot be selected */
async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.readOnly = true;
    area.className = 'copied';
    near.after(area);
    area.select();
    // Deprecated, and the only way on plain http.
    // eslint-disable-next-line @typescript-eslint/no-deprecated, no-restricted-syntax
    const isCopied = document.execCommand('copy');
    if (isCopied) {
      area.remove();
      near.focus();
    }
    if (!isCopied) area.addEventListener('blur', () => area.remove());
    return isCopied;
  }
}
