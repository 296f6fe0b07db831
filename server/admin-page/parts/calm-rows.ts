import { useRef } from 'preact/hooks';
import type { VNode } from 'preact';

import { html, type Shown } from '../html.js';
import { inCalmOrder } from '../state/calm-order.js';

/** So long after the last movement over a table its rows keep their places. A pointer that was left there must not hide what is new. */
const CALM_MS = 10_000;

export interface Calm<T> {
  readonly rows: readonly T[];
  /** For <CalmBox>. */
  readonly touch: (isInside: boolean) => void;
}

/**
 * Rows that are read again and again, and whose order moves with each answer: while a person points at them, or walks through them with the
 * keyboard, each keeps its place, so that a click meets the row that was aimed at.
 *
 * @param question another one is another list
 * @param newOnes  `last`: new rows stand behind the others meanwhile; `later`: they are not shown until the person has gone
 */
export function useCalm<T>(question: string, rows: readonly T[], keyOf: (row: T) => string, newOnes: 'last' | 'later'): Calm<T> {
  const touchedAt = useRef(-Infinity);
  const shown = useRef<{ readonly question: string; readonly rows: readonly T[] }>({ question, rows });
  const isCalm = performance.now() - touchedAt.current < CALM_MS && shown.current.question === question && shown.current.rows.length > 0;
  shown.current = { question, rows: isCalm ? inCalmOrder(shown.current.rows, rows, keyOf, newOnes) : rows };
  return { rows: shown.current.rows, touch: (isInside) => { touchedAt.current = isInside ? performance.now() : -Infinity; } };
}

/** The box round such a table. */
export function CalmBox({ touch, children }: { readonly touch: (isInside: boolean) => void; readonly children?: Shown }): VNode {
  const inside = (): void => touch(true);
  const left = (event: FocusEvent): void => { if (!(event.currentTarget as Element).contains(event.relatedTarget as Node | null)) touch(false); };
  return html`<div class="scroll" onPointerMove=${inside} onPointerDown=${inside} onKeyDown=${inside} onFocusIn=${inside} onFocusOut=${left} onPointerLeave=${() => touch(false)}>${children}</div>`;
}
