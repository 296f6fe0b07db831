import { useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { ShownDestination } from '../../../client/answers.js';
import { html } from '../html.js';
import { Copy, Empty, Failure, TaskLink, Time, Waiting } from '../parts/basics.js';
import { DestinationButtons, EVERYTHING, limitsText, nameOf } from '../parts/destination-actions.js';
import { DestinationRows, Held, KnownAt, LookedAt, whoseCircuit, type DestinationList } from '../parts/destination-rows.js';
import { callApi, pathOfDestination, withQuery } from '../state/api.js';
import { withCondition } from '../state/filter-text.js';
import { count, duration, percent, words } from '../state/format.js';
import { useLive } from '../state/live.js';
import { addressOf, place } from '../state/location.js';

/** Rows that are drawn until a person asks for all of them. */
const SHOWN = 200;

/** Every host with its endpoints. */
export function Destinations(): VNode {
  const [text, setText] = useState('');
  const [isAll, setAll] = useState(false);
  const { value, failure, reload } = useLive('destinations', (asking) => callApi<DestinationList>('/destinations?limit=1000', asking), 3_000);
  const found = value?.destinations.filter(({ key }) => key.includes(text.trim())) ?? [];
  return html`<div class="head"><h1>Destinations</h1>${value !== undefined && html`<span class="soft">${count(value.total)} with traffic, waiting tasks, limits, a pause or an open circuit</span>`}</div>
    ${failure !== undefined && html`<${Failure} failure=${failure} reload=${reload} />`}
    ${value === undefined ? failure === undefined && html`<${Waiting} />`
      : value.destinations.length === 0 ? html`<${Empty} title="No destination is in use">It appears with its first send.</${Empty}>`
        : html`<div class="bar"><input type="search" class="narrow" aria-label="Show only destinations with this text" placeholder="Only with this text" value=${text} onInput=${(event: Event) => setText((event.target as HTMLInputElement).value)} /></div>
          ${found.length === 0 ? html`<${Empty} title="None has this text">${count(value.destinations.length)} looked at.</${Empty}>` : html`<${DestinationRows} question=${`all ${text}`} destinations=${found} most=${isAll ? Infinity : SHOWN} />`}`}
    ${found.length > SHOWN && !isAll && html`<p class="foot soft">${count(SHOWN)} of ${count(found.length)} are shown, those in trouble first. <button type="button" onClick=${() => setAll(true)}>Show all</button></p>`}
    ${value !== undefined && html`<${LookedAt} list=${value} />`}`;
}

/** One destination: what holds it, what it does, and its endpoints. */
export function Destination(): VNode {
  const key = place.value.query.get('key') ?? '';
  const { value, failure, reload } = useLive(`destination ${key}`, (asking) => callApi<ShownDestination>(pathOfDestination(key), asking), 1_000);
  if (value === undefined) return failure === undefined ? html`<${Waiting} />` : html`<${Failure} failure=${failure} reload=${reload} />`;
  const { kind, group, paused, circuit, limits, latency_ms, deferred, in_flight, delivered, failed } = value;
  const q = kind === 'flow_key' ? withCondition('', 'flow_key', [value.key]) : withCondition('', 'destination_key', [value.key]);
  const parked = withCondition(q, 'state', ['parked', 'dead_lettered']);
  return html`<div class="head wrap"><div><p class="soft">${kind.replace('_', ' ')}${group !== null && group !== value.key ? html` of <a href=${addressOf('destination', { key: group })}>${group}</a>` : ''}</p>
      <h1 class="breakable">${value.key} <${Copy} text=${value.key} /></h1></div><${DestinationButtons} destination=${value} /></div>
    ${failure !== undefined && html`<${Failure} failure=${failure} reload=${reload} />`}
    <${KnownAt} at=${value.known_at} />
    <p class="state"><${Held} destination=${value} /></p>
    <section class="tiles" aria-label="Numbers now">
      <div class="tile ${deferred > 0 ? 'warn' : ''}"><span class="name">Held back</span><span class="value">${count(deferred)}</span><span class="note">due, and not sent</span></div>
      <div class="tile"><span class="name">In flight</span><span class="value">${count(in_flight)}</span><span class="note">just now</span></div>
      <div class="tile"><span class="name">Delivered</span><span class="value">${count(delivered)}</span><span class="note">in the last minute</span></div>
      <div class="tile ${failed > 0 ? 'bad' : ''}"><span class="name">Failed</span><span class="value">${count(failed)}</span><span class="note">${failed > 0 ? `${percent(value.failure_share)} of the last minute` : 'in the last minute'}</span></div>
      <div class="tile"><span class="name">Half answered within</span><span class="value">${duration(latency_ms.p50)}</span><span class="note">99 % within ${duration(latency_ms.p99)}</span></div>
    </section>
    <dl class="facts card">
      ${paused !== null && html`<dt>Paused</dt><dd>since <${Time} at=${paused.since} />${paused.by === null ? '' : html` by ${actorName(paused.by)}`}${paused.reason === null ? '' : html`: “${paused.reason}”`}${paused.key === value.key ? '' : html`, ${paused.key === EVERYTHING ? 'together with' : 'by its group'} <a href=${addressOf('destination', { key: paused.key })}>${nameOf(paused.key)}</a>`}${paused.until === null ? '' : html`, until <${Time} at=${paused.until} />`}</dd>`}
      ${circuit.state !== 'closed' && html`<dt>Circuit</dt><dd>${circuitStates[circuit.state]}${whoseCircuit(circuit)}, since <${Time} at=${circuit.since} />${circuit.reason === null ? '' : `: ${circuitReasons[circuit.reason]}`}${circuit.state === 'given_up' ? '' : html`, next try <${Time} at=${circuit.until} isDistance=${'coming'} />`}</dd>`}
      ${circuit.last_probe !== null && html`<dt>Last try</dt><dd><${TaskLink} id=${circuit.last_probe.task_id} /> <${Time} at=${circuit.last_probe.at} isDistance />: ${words(circuit.last_probe.error_code)}</dd>`}
      ${limits !== null && html`<dt>Limits</dt><dd>${limitsText(limits)}${value.limited_by === null || value.limited_by === value.key ? '' : html`, those of <a href=${addressOf('destination', { key: value.limited_by })}>${nameOf(value.limited_by)}</a>`}</dd>`}
    </dl>
    ${value.key !== '*' && html`<p class="buttons"><a class="button" href=${addressOf('tasks', { q })}>Its tasks</a> <a class="button" href=${addressOf('tasks', { q: parked })}>Its dead letters</a></p>`}
    ${(kind === 'host' || kind === 'cluster') && html`<${Endpoints} group=${value.key} />`}`;
}

const circuitStates = { open: 'Open, tasks wait', probing: 'One is sent to find out whether it is back', given_up: 'It was open for so long that its tasks are sent all the same, and their attempts count' } as const;
const circuitReasons = { failures: 'it failed again and again', endpoint_failures: 'several of its endpoints failed again and again', retry_after: 'it asked to be left alone' } as const;

function Endpoints({ group }: { readonly group: string }): VNode {
  const { value } = useLive(`endpoints ${group}`, (asking) => callApi<DestinationList>(withQuery('/destinations', { group, limit: 1_000 }), asking), 2_000);
  const own = value?.destinations.filter(({ key }) => key !== group) ?? [];
  return html`<h2>${group.startsWith('kafka:') ? 'Topics' : 'Endpoints'}</h2>${value === undefined ? html`<${Waiting} />` : own.length === 0 ? html`<${Empty} title="None of its own">A path becomes an endpoint with its second task.</${Empty}>` : html`<${DestinationRows} question=${group} destinations=${own} most=${SHOWN} />${own.length > SHOWN && html`<p class="foot soft">${count(SHOWN)} of ${count(own.length)} are shown, those in trouble first.</p>`}<${LookedAt} list=${value} />`}`;
}

interface Actor {
  readonly type: string;
  readonly id: string | null;
  readonly name: string | null;
  readonly operator: string | null;
}

export function actorName({ type, id, name, operator }: Actor): string {
  const who = name ?? id ?? type;
  // Without access keys everybody is anonymous, and the name that was given is all that is known.
  return operator === null ? who : type === 'anonymous' ? operator : `${operator} (${who})`;
}
