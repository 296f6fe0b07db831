import { createHash } from 'node:crypto';
import type { AnswerHeaders } from '../http/answer.js';

/** What a page may load and do; what is left out it may not. Each is a list of sources as Content-Security-Policy has them. */
export interface PageSources {
  readonly scripts?: string;
  readonly styles?: string;
  readonly images?: string;
  readonly fonts?: string;
  /** Where its scripts may ask. */
  readonly requests?: string;
  /** Where its forms may go. */
  readonly forms?: string;
  /** What its `<base>` may be. */
  readonly base?: string;
}

/**
 * The headers of a page for a browser: it loads nothing from other addresses, no other page shows it in a frame or keeps a hand on its window,
 * and what it links to on other origins does not learn its address.
 */
export function pageHeaders({ scripts, styles, images, fonts, requests, forms = "'none'", base = "'none'" }: PageSources, referrer: 'no-referrer' | 'same-origin' = 'no-referrer'): AnswerHeaders {
  const loaded = { 'script-src': scripts, 'style-src': styles, 'img-src': images, 'font-src': fonts, 'connect-src': requests };
  const directives = Object.entries(loaded).flatMap(([name, sources]) => (sources === undefined ? [] : [`${name} ${sources}`]));
  return {
    'Content-Security-Policy': ["default-src 'none'", ...directives, `base-uri ${base}`, `form-action ${forms}`, "frame-ancestors 'none'"].join('; '),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': referrer,
  };
}

/** The source that allows this one script or style, which stands in the page itself. */
export function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** A text from elsewhere, as it has to stand in a page: `<b>` -> `&lt;b&gt;`. For texts and for values in double quotes. */
export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
