import type { VNode } from 'preact';

import type { ShownDestination } from '../../../client/answers.js';
import { html } from '../html.js';
import { stateOfTraffic } from '../state/destination-state.js';
import { count, duration, percent, shortKey } from '../state/format.js';
import { status } from '../state/live.js';
import { addressOf } from '../state/location.js';
import { Time } from './basics.js';
import { CalmBox, useCalm } from './calm-rows.js';

export type ListedDestination = Omit<ShownDestination, 'workers'>;
export interface DestinationList {
  readonly destinations: readonly ListedDestination[];
  readonly total: number;
  readonly known_at: string | null;
  readonly next_cursor: string | null;
}

/** Held ones first, then those at which most waits and fails. */
function byTrouble(destinations: readonly ListedDestination[]): ListedDestination[] {
  const isHeld = ({ paused, circuit }: ListedDestination): number => (paused !== null || circuit.state !== 'closed' ? 1 : 0);
  return [...destinations].sort((a, b) => isHeld(b) - isHeld(a) || b.deferred - a.deferred || b.failed - a.failed || b.delivered - a.delivered);
}

/** @param question which list it is: see useCalm */
export function DestinationRows({ question, destinations, most = Infinity }: { readonly question: string; readonly destinations: readonly ListedDestination[]; readonly most?: number }): VNode {
  const { rows, touch } = useCalm(question, byTrouble(destinations), ({ kind, key }) => `${kind} ${key}`, 'last');
  return html`<${CalmBox} touch=${touch}><table class="destinations stacked">
    <thead><tr><th>Destination</th><th>State</th><th class="n">Held back</th><th class="n">In flight</th><th class="n">Delivered / min</th><th class="n">Failed / min <span class="share"></span></th><th class="n">p50</th><th class="n">p99</th></tr></thead>
    <tbody>${rows.slice(0, most).map((destination) => {
      const { key, kind, deferred, in_flight, delivered, failed, failure_share, latency_ms } = destination;
      return html`<tr key=${`${kind} ${key}`}>
        <td class="first"><a href=${addressOf('destination', { key })} title=${key}>${key === '*' ? 'everything' : shortKey(key, 44)}</a>${kind === 'endpoint' || kind === 'topic' ? '' : html` <span class="kind">${kind.replace('_', ' ')}</span>`}</td>
        <td><${Held} destination=${destination} /></td>
        <td class="n ${deferred > 0 ? 'warn' : 'zero'}" data-label="held back">${count(deferred)}</td>
        <td class="n ${in_flight > 0 ? '' : 'zero'}" data-label="in flight">${count(in_flight)}</td>
        <td class="n ${delivered > 0 ? '' : 'zero'}" data-label="delivered / min">${count(delivered)}</td>
        <td class="n ${failed > 0 ? 'bad' : 'zero'}" data-label="failed / min">${count(failed)} <span class="soft share">${failed > 0 ? percent(failure_share) : ''}</span></td>
        <td class="n" data-label="p50">${duration(latency_ms.p50)}</td>
        <td class="n" data-label="p99">${duration(latency_ms.p99)}</td>
      </tr>`;
    })}</tbody></table></${CalmBox}>`;
}

/** Says so where the list is longer than what was asked for: a destination that is not looked at is not shown, whatever its trouble. */
export function LookedAt({ list: { destinations, next_cursor, known_at } }: { readonly list: DestinationList }): VNode {
  return html`${next_cursor !== null && html`<p class="soft">The ${count(destinations.length)} with the most traffic are looked at.</p>`}<${KnownAt} at=${known_at} />`;
}

/** Says so where a part of Redis is away, and what it has is shown as it was read last. */
export function KnownAt({ at }: { readonly at: string | null }): VNode | null {
  return at === null ? null : html`<p class="soft" role="status">A part of Redis does not answer: limits, pauses, circuits and traffic are shown as they were <${Time} at=${at} isDistance />.</p>`;
}

/** ` (dead letters alone)`; nothing where all that is sent there waits. */
export function whoseCircuit({ of, phase }: ListedDestination['circuit']): string {
  return `${phase === 'dead_letter' ? ' (dead letters alone)' : ''}${of === 'others' ? ' (paths that are known by one task each)' : ''}`;
}

/** Why nothing or little is sent there now. */
export function Held({ destination }: { readonly destination: ListedDestination }): VNode {
  const { paused, circuit } = destination;
  if (paused !== null) return html`<span class="badge paused">paused</span>${paused.until === null ? '' : html` <span class="soft">until <${Time} at=${paused.until} /></span>`}`;
  const whose = circuit.phase === 'dead_letter' ? 'dead letters: ' : circuit.of === 'others' ? 'the rest: ' : '';
  if (circuit.state === 'open') return html`<span class="badge open">${whose}circuit open</span>${circuit.until === null ? '' : html` <span class="soft">next try <${Time} at=${circuit.until} isDistance=${'coming'} /></span>`}`;
  if (circuit.state === 'probing') return html`<span class="badge open">${whose}trying one</span>`;
  if (circuit.state === 'given_up') return html`<span class="badge open">${whose}all fail</span> <span class="soft">sent all the same</span>`;
  const { kind, text } = stateOfTraffic(destination, status.value?.workers);
  return html`<span class="badge ${kind}">${text}</span>`;
}
