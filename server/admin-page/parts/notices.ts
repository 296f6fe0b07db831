import type { VNode } from 'preact';

import { html, type Shown } from '../html.js';
import { isSignedOut, signalOfPerson } from '../state/person.js';

interface Notice {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: Shown;
}

const notices = signalOfPerson<readonly Notice[]>([]);
let last = 0;
const SHOWN_MS = 8_000;

/** Says what was done. What failed stays until it is closed. */
export function say(kind: Notice['kind'], text: Shown): void {
  const id = (last += 1);
  notices.value = [...notices.value.slice(-3), { id, kind, text }];
  if (kind === 'done') setTimeout(() => close(id), SHOWN_MS);
}

function close(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function Notices(): VNode {
  return html`<div class="notices" role="status" aria-live="polite" hidden=${isSignedOut.value}>
    ${notices.value.map(({ id, kind, text }) => html`<div key=${id} class="notice ${kind}"><span>${text}</span><button type="button" class="plain" aria-label="Close" onClick=${() => close(id)}>×</button></div>`)}
  </div>`;
}
