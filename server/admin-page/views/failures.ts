import type { VNode } from 'preact';

import { html } from '../html.js';
import { FailureGroups } from '../parts/failure-groups.js';
import { addressOf, place } from '../state/location.js';

const spans = ['15m', '1h', '6h', '24h'] as const;

/** All that failed in a span of time, by destination and error. */
export function FailureList(): VNode {
  const since = spans.find((span) => span === place.value.query.get('since')) ?? '1h';
  return html`<div class="head"><h1>Failures</h1><nav class="spans" aria-label="Span of time">${spans.map((span) => html`<a key=${span} href=${addressOf('failures', { since: span })} aria-current=${span === since ? 'true' : undefined}>${span}</a>`)}</nav></div>
    <${FailureGroups} since=${since} most=${1_000} />`;
}
