import type { VNode } from 'preact';

import type { BulkAction } from '../../../client/answers.js';
import { wantedOfAction } from '../../../shared/wire/wanted-of-action.js';
import { html } from '../html.js';
import { Badge, Empty, Failure, Said, Time, Waiting } from '../parts/basics.js';
import { verbs } from '../parts/bulk-dialog.js';
import { ask } from '../parts/dialog.js';
import { say } from '../parts/notices.js';
import { callApi, partOfPath, withQuery } from '../state/api.js';
import { withCondition } from '../state/filter-text.js';
import { count, duration, words } from '../state/format.js';
import { useLive } from '../state/live.js';
import { addressOf, place } from '../state/location.js';
import { mayOperate } from '../state/session.js';
import { shardsAwayText } from '../state/shards-away-text.js';
import { actorName } from './destinations.js';

/** A newer version may know more of them. */
const nameOf = ({ action }: BulkAction): string => (Object.hasOwn(verbs, action) ? verbs[action].name : words(action));

const whatOf = ({ filter }: BulkAction): string => (filter === null ? 'chosen tasks' : typeof filter['q'] === 'string' ? filter['q'] : JSON.stringify(filter));

export function BulkActions(): VNode {
  const { value, failure, reload } = useLive('bulk actions', (asking) => callApi<{ readonly bulk_actions: readonly BulkAction[] }>('/bulk-actions?limit=100', asking), 2_000);
  return html`<div class="head"><h1>Bulk actions</h1><span class="soft">Redrives and other changes of many tasks. Kept for 30 days.</span></div>
    ${value === undefined ? (failure === undefined ? html`<${Waiting} />` : html`<${Failure} failure=${failure} reload=${reload} />`)
      : value.bulk_actions.length === 0 ? html`<${Empty} title="None yet">Search <a href=${addressOf('tasks', { q: 'state:parked' })}>tasks</a>, then act on all that match.</${Empty}>`
        : html`<div class="scroll"><table class="stacked"><thead><tr><th>Action</th><th>State</th><th>Which</th><th class="n">Matched</th><th class="n">Started</th><th class="n">Failed again</th><th>By</th><th>When</th></tr></thead>
          <tbody>${value.bulk_actions.map((action) => html`<tr key=${action.id}><td class="first"><a href=${addressOf('bulk-action', { id: action.id })}>${nameOf(action)}</a></td><td><${Badge} state=${action.state} /></td>
            <td class="breakable"><code>${whatOf(action)}</code></td><td class="n" data-label="matched">${wantedOfAction(action) === action.matched ? '' : `${count(wantedOfAction(action))} of `}${count(action.matched)}</td><td class="n" data-label="started">${count(action.started)}</td><td class="n ${action.failed_again > 0 ? 'bad' : 'zero'}" data-label="failed again">${count(action.failed_again)}</td><td>${actorName(action.created_by)}</td><td><${Time} at=${action.created_at} isDistance /></td></tr>`)}</tbody></table></div>`}`;
}

/** Its progress, live, and what became of the tasks. */
export function BulkActionView(): VNode {
  const id = place.value.query.get('id') ?? '';
  const { value: action, failure, reload } = useLive(`bulk action ${id}`, (asking) => callApi<BulkAction>(`/bulk-actions/${partOfPath(id)}`, asking), 1_000);
  if (action === undefined) return failure === undefined ? html`<${Waiting} />` : html`<${Failure} failure=${failure} reload=${reload} />`;
  const wanted = wantedOfAction(action);
  // What is beyond the limit was never to be changed: it is no part of the progress.
  const skipped = Object.entries(action.skipped).filter(([name, many]) => many > 0 && name !== 'over_limit');
  const left = (many: number): string => (wanted === null || wanted === 0 ? '0' : ((many / wanted) * 100).toFixed(2));
  const isRedrive = action.action === 'redrive' || action.action === 'send_now';
  const parts = isRedrive
    ? [['delivered', action.delivered, 'good'], ['failed again', action.failed_again, 'bad'], ['in progress', action.in_progress, 'accent'], ['cancelled', action.cancelled, 'soft']] as const
    : [['changed', action.started, 'good']] as const;
  const away = shardsAwayText(action);
  const skippedInAll = skipped.reduce((sum, [, many]) => sum + many, 0);
  return html`${failure !== undefined && html`<${Failure} failure=${failure} reload=${reload} />`}<div class="head wrap"><div><p class="soft">${nameOf(action)} of ${action.filter === null ? 'chosen tasks' : 'all that matched'}</p><h1>${wanted === null ? 'Looking for its tasks …' : wanted === action.matched ? `${count(wanted)} ${wanted === 1 ? 'task' : 'tasks'}` : `${count(wanted)} of the ${count(action.matched)} tasks that match`} <${Badge} state=${action.state} /></h1></div><${Buttons} action=${action} /></div>
    ${action.filter !== null && html`<code class="query">${whatOf(action)}</code>`}
    ${action.state_reason !== null && html`<p class="complaint"><${Said} text=${`${action.state_reason.message}.`} /></p>`}
    ${away !== undefined && html`<p class="complaint">${away}</p>`}
    ${action.not_read > 0 && html`<p class="complaint">${count(action.not_read)} ${action.not_read === 1 ? 'task' : 'tasks'} could not be read, so it is not known whether they match: they are left as they are.</p>`}
    <svg class="progress" viewBox="0 0 100 4" preserveAspectRatio="none" role="progressbar" aria-valuemin="0" aria-valuemax=${wanted ?? 0} aria-valuenow=${action.started + skippedInAll} aria-label="Progress">
      <rect width="100" height="4" class="rest" />
      ${[...parts, ['skipped', skippedInAll, 'line'] as const].map(([name, many, colour], nth, all) => html`<rect key=${name} class=${colour} x=${left(all.slice(0, nth).reduce((sum, part) => sum + part[1], 0))} width=${left(many)} height="4" />`)}
    </svg>
    <dl class="outcome">
      ${parts.map(([name, many, colour]) => html`<div key=${name}><dt><i class=${colour}></i>${name}</dt><dd>${count(many)}</dd></div>`)}
      <div><dt><i class="rest"></i>pending</dt><dd>${count(action.pending)}</dd></div>
      ${skipped.map(([name, many]) => html`<div key=${name}><dt><i class="line"></i>${skippedNames[name] ?? name}</dt><dd>${count(many)}</dd></div>`)}
    </dl>
    <dl class="facts card">
      <dt>Asked by</dt><dd>${actorName(action.created_by)} <${Time} at=${action.created_at} />${action.reason === null ? '' : html`: “${action.reason}”`}</dd>
      <dt>Rate</dt><dd>${action.rate === null ? 'no limit' : `${action.rate} a second`}</dd>
      ${isRedrive && html`<dt>First sends</dt><dd>${count(action.first_sends.delivered)} delivered, ${count(action.first_sends.failed)} failed</dd>`}
      ${action.estimated_done_at !== null && html`<dt>Done</dt><dd><${Time} at=${action.estimated_done_at} isDistance /> at this pace</dd>`}
      ${action.done_at !== null && html`<dt>Done</dt><dd><${Time} at=${action.done_at} />, after ${duration(Date.parse(action.done_at) - Date.parse(action.created_at))}</dd>`}
      ${action.settled_at !== null && html`<dt>All ended</dt><dd><${Time} at=${action.settled_at} /></dd>`}
    </dl>
    <p class="buttons"><a class="button" href=${addressOf('tasks', { q: withCondition('', 'bulk_action_id', [action.id]) })}>Its tasks</a>
      ${action.failed_again > 0 && html` <a class="button" href=${addressOf('tasks', { q: withCondition(withCondition('', 'bulk_action_id', [action.id]), 'state', ['parked', 'dead_lettered']) })}>Those that failed again</a>`}</p>`;
}

const skippedNames: Readonly<Record<string, string>> = { changed: 'changed meanwhile', gone: 'gone meanwhile', being_sent: 'being sent just then', invalid: 'not possible with the override' };

function Buttons({ action }: { readonly action: BulkAction }): VNode | null {
  const { id, state } = action;
  if (!mayOperate() || ['done', 'cancelled', 'refused', 'failed'].includes(state)) return null;
  const tell = (verb: 'pause' | 'resume' | 'cancel', name: string, text: string, isDangerous = false): void => ask({
    title: name, text: html`<p>${text}</p>`, verb: name, isDangerous,
    act: async ({ reason }) => {
      const told = await callApi<BulkAction>(withQuery(`/bulk-actions/${partOfPath(id)}/${verb}`, { reason }), { method: 'POST' });
      say('done', `The bulk action is ${words(told.state)}.`);
    },
  });
  const askRate = (): void => ask({
    title: 'Change the rate', verb: 'Change it', fields: [{ name: 'rate', label: 'Tasks a second', value: action.rate?.toString() ?? '', placeholder: 'no limit' }],
    act: async ({ reason, fields }) => {
      const text = (fields['rate'] ?? '').trim();
      if (text !== '' && !(Number(text) > 0)) throw new Error('Tasks a second must be a number above 0, or empty.');
      await callApi(withQuery(`/bulk-actions/${partOfPath(id)}`, { reason }), { method: 'PATCH', body: { rate: text === '' ? null : Number(text) } });
      say('done', 'The rate is changed.');
    },
  });
  return html`<span class="buttons">
    ${state === 'paused' ? html`<button type="button" class="primary" onClick=${() => tell('resume', 'Resume', 'It goes on with the tasks that are left.')}>Resume …</button>` : html`<button type="button" onClick=${() => tell('pause', 'Pause', 'It starts no further task until it is resumed. Those that were started are sent.')}>Pause …</button>`}
    <button type="button" onClick=${askRate}>Rate …</button>
    <button type="button" class="danger" onClick=${() => tell('cancel', 'Cancel it', 'It starts no further task. Those that were started are sent.', true)}>Cancel …</button>
  </span>`;
}
