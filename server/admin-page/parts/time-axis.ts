import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { TaskView } from '../../../client/answers.js';
import { html } from '../html.js';
import { duration, words } from '../state/format.js';
import { axisWidth, labelsThatFit, LEAST_SCALED, placeOnAxis, plannedAfter, WIDEST_AXIS, type AxisEvent } from '../state/time-axis.js';

const [HEIGHT, SIDE, LINE_Y] = [84, 14, 40];
/** Points nearer to each other have no room for a gap's length between them. */
const ROOM_FOR_GAP = 56;
const MOST_EVENTS = 30;

/** Past and coming sends of the last run on one line. The table below it says the same in words. On a narrow screen it scrolls, and begins at what comes next. */
export function TimeAxis({ task }: { readonly task: TaskView }): VNode | null {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(WIDEST_AXIS);
  const events = eventsOf(task).slice(-MOST_EVENTS);
  const width = axisWidth(room, events.length);
  const points = placeOnAxis(events).map((point) => ({ ...point, px: SIDE + point.x * (width - 2 * SIDE) }));
  const next = points.find(({ kind }) => kind === 'next')?.px ?? width;
  useLayoutEffect(() => {
    const measure = (): void => { if (box.current !== null) setRoom(box.current.clientWidth); };
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
    // The box is there with the second point alone.
  }, [points.length < 2]);
  useLayoutEffect(() => {
    if (box.current === null) return;
    // The policy of the page takes no style that stands in the markup.
    const [axis] = box.current.children;
    if (axis instanceof SVGElement) axis.style.minWidth = `${Math.min(width, LEAST_SCALED)}px`;
    box.current.scrollLeft = next - box.current.clientWidth * 0.6;
  }, [width, points.length]);
  if (points.length < 2) return null;
  const labelled = labelsThatFit(points);
  return html`<div class="scroll" ref=${box}><svg class="axis" viewBox=${`0 0 ${width} ${HEIGHT}`} role="img" aria-label=${`Time axis: ${points.map(({ label }) => label).join(', ')}`}>
    <line x1=${SIDE} y1=${LINE_Y} x2=${width - SIDE} y2=${LINE_Y} />
    ${points.map(({ px, at, kind, label }, nth) => {
      const before = points[nth - 1];
      const isWide = before !== undefined && px - before.px >= ROOM_FOR_GAP;
      return html`<g key=${`${nth} ${at}`} class=${kind}>
        ${isWide && html`<text class="gap" x=${(px + before.px) / 2} y=${LINE_Y - 10}>${duration(at - before.at)}</text>`}
        <circle cx=${px} cy=${LINE_Y} r="6"><title>${`${label}, ${new Date(at).toISOString()}`}</title></circle>
        ${labelled.has(nth) && html`<text x=${px} y=${LINE_Y + 24} text-anchor=${nth === 0 ? 'start' : nth === points.length - 1 ? 'end' : 'middle'}>${label}</text>`}
      </g>`;
    })}
  </svg></div>`;
}

function eventsOf(task: TaskView): AxisEvent[] {
  const events: AxisEvent[] = [];
  for (const entry of task.timeline) {
    if (entry.kind !== 'attempt' || entry.run !== task.run) continue;
    const isGood = entry.outcome === 'delivered';
    events.push({ at: Date.parse(entry.started_at), kind: isGood ? 'delivered' : 'failed', label: isGood ? (entry.phase === 'delivery' ? 'delivered' : 'dead letter delivered') : entry.http_status === null ? words(entry.error_code ?? 'failed') : String(entry.http_status) });
  }
  if (task.run === 1) events.unshift({ at: Date.parse(task.created_at), kind: 'created', label: 'accepted' });
  if (task.next_attempt_at !== null && task.finished_at === null) {
    const next = Date.parse(task.next_attempt_at);
    events.push({ at: next, kind: 'next', label: 'next' });
    if (task.phase === 'delivery') for (const at of plannedAfter(next, task.attempt, task.policy)) events.push({ at, kind: 'planned', label: 'if it fails' });
  }
  return events;
}
