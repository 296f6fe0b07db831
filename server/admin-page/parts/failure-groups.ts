import type { VNode } from 'preact';

import type { Failures } from '../../../client/answers.js';
import { html } from '../html.js';
import { callApi, withQuery } from '../state/api.js';
import { withCondition } from '../state/filter-text.js';
import { count, shortKey, words } from '../state/format.js';
import { useLive } from '../state/live.js';
import { addressOf } from '../state/location.js';
import { mayOperate } from '../state/session.js';
import { askBulk } from './bulk-dialog.js';
import { Empty, Failure, Time, Waiting } from './basics.js';
import { CalmBox, useCalm } from './calm-rows.js';
import { StatsKnownAt } from './stats-known-at.js';

type Group = Failures['groups'][number];

/** The tasks of a group that have ended badly, and wait for somebody. */
function queryOf({ destination_key, error_code, http_status }: Group): string {
  let q = withCondition('', 'destination_key', [destination_key ?? '']);
  q = withCondition(q, 'error_code', error_code === null ? null : [error_code]);
  return withCondition(q, 'http_status', http_status === null ? null : [http_status]);
}

const nameOf = ({ destination_key, error_code, http_status }: Group): string => `${destination_key} ${error_code} ${http_status}`;

/** What failed, most first; each group leads to its tasks. */
export function FailureGroups({ since, most }: { readonly since: string; readonly most: number }): VNode {
  const { value, failure, reload } = useLive(`failures ${since}`, (asking) => callApi<Failures>(withQuery('/failures', { since }), asking), 3_000);
  const { rows, touch } = useCalm(`failures ${since}`, value?.groups ?? [], nameOf, 'last');
  if (failure !== undefined && value === undefined) return html`<${Failure} failure=${failure} reload=${reload} />`;
  if (value === undefined) return html`<${Waiting} />`;
  if (value.groups.length === 0 && !value.is_complete) return html`<p class="soft" role="status">A part of Redis does not answer: what has failed is not known now.</p>`;
  if (value.groups.length === 0) return html`<${Empty} title="Nothing has failed">No send has failed in the last ${since}.</${Empty}>`;
  return html`${failure !== undefined && html`<${Failure} failure=${failure} reload=${reload} />`}<${CalmBox} touch=${touch}><table class="stacked">
    <thead><tr><th>Destination</th><th>Error</th><th class="n">Failed sends</th><th>Last</th><th>Then</th><th><span class="hidden">What can be done</span></th></tr></thead>
    <tbody>${rows.slice(0, most).map((group) => {
      const { destination_key, error_code, http_status, count: many, last_failed_at, samples, by_next } = group;
      // The last group is of all that found no room of their own: no query finds them.
      const isRest = destination_key === null;
      // A dead letter went to another place than that of its task: only the newest of these tasks are known. An older process does not count them.
      const deadLetters = (group.by_phase as Group['by_phase'] | undefined)?.dead_letter ?? 0;
      const hasOwn = !isRest && deadLetters < many;
      const q = hasOwn ? queryOf(group) : '';
      return html`<tr key=${nameOf(group)}>
        <td class="first">${isRest ? html`<span class="soft">all others</span>` : html`<a href=${addressOf('destination', { key: destination_key })} title=${destination_key}>${shortKey(destination_key, 38)}</a>`}${deadLetters > 0 ? html` <span class="kind">${deadLetters === many ? 'dead letters' : `${count(deadLetters)} dead letters`}</span>` : ''}</td>
        <td class="line">${error_code === null ? '–' : words(error_code)}${http_status === null ? '' : html` <span class="soft">${http_status}</span>`}</td>
        <td class="n" data-label="failed">${count(many)}</td>
        <td class="line"><${Time} at=${last_failed_at} isDistance /></td>
        <td class="soft line">${[by_next.retry > 0 && `${count(by_next.retry)} retried`, by_next.park > 0 && `${count(by_next.park)} parked`, by_next.dead_letter > 0 && `${count(by_next.dead_letter)} dead`].filter(Boolean).join(', ')}</td>
        <td class="buttons">
          ${hasOwn && mayOperate() && by_next.park + by_next.dead_letter > 0 && html`<button type="button" class="small" onClick=${() => askBulk('redrive', { filter: { q: withCondition(q, 'state', ['parked', 'dead_lettered']) } })}>Redrive …</button>`}
          ${hasOwn ? html`<a class="button small" href=${addressOf('tasks', { q })}>Show</a>` : samples.length > 1 && html`<a class="button small" href=${addressOf('tasks', { q: withCondition('', 'id', samples) })}>Newest ${samples.length}</a>`}
          ${samples[0] !== undefined && (hasOwn || samples.length === 1) && html`<a class="button small" href=${addressOf('task', { id: samples[0] })} title=${samples[0]}>Newest</a>`}</td>
      </tr>`;
    })}</tbody></table></${CalmBox}>
    <${StatsKnownAt} at=${value.known_at} />
    ${!value.is_complete && value.known_at === null && html`<p class="soft">Not everything that failed could be counted.</p>`}
    ${value.groups.length > most && html`<p class="soft"><a href=${addressOf('failures', { since })}>All ${count(value.groups.length)} groups</a></p>`}`;
}

