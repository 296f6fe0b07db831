import type { VNode } from 'preact';
import { html } from '../html.js';
import { Time } from './basics.js';

/** Says since when what was counted is shown, while it cannot be read. @param at null: it is of now */
export function StatsKnownAt({ at }: { readonly at: string | null }): VNode | null {
  return at === null ? null : html`<p class="soft" role="status">A part of Redis does not answer: what was counted is shown as it was <${Time} at=${at} isDistance />.</p>`;
}
