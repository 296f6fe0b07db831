import { useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { TaskView } from '../../../client/answers.js';
import { actionsFor } from '../../../shared/domain/task/state-actions.js';
import { html, type Shown } from '../html.js';
import { Badge, Copy, Failure, Said, Time, Waiting } from '../parts/basics.js';
import { ask } from '../parts/dialog.js';
import { askEdit } from '../parts/edit-dialog.js';
import { say } from '../parts/notices.js';
import { TimeAxis } from '../parts/time-axis.js';
import { callApi, partOfPath, withQuery } from '../state/api.js';
import { withCondition } from '../state/filter-text.js';
import { isWhereItWent, placeOfDestination, type DestinationPlace } from '../state/destination-place.js';
import { bytes, duration, retriesText, words } from '../state/format.js';
import { useLive } from '../state/live.js';
import { addressOf, place } from '../state/location.js';
import { hasPermission, mayOperate } from '../state/session.js';
import { actorName } from './destinations.js';

/** Where it is, why it is not being sent, and what has become of each send. */
export function Task(): VNode {
  const id = place.value.query.get('id') ?? '';
  const { value: task, failure, reload } = useLive(`task ${id}`, (asking) => callApi<TaskView>(`/tasks/${partOfPath(id)}`, asking), 1_000);
  if (task === undefined) return failure === undefined ? html`<${Waiting} />` : html`<h1 class="breakable">${id}</h1><${Failure} failure=${failure} reload=${reload} />`;
  const dead = deadPlaceOf(task);
  return html`
    <div class="head wrap"><div><p class="soft">Task</p><h1 class="breakable">${id} <${Copy} text=${id} /></h1></div><${TaskButtons} task=${task} /></div>
    ${failure !== undefined && html`<${Failure} failure=${failure} reload=${reload} />`}
    <p class="state"><${Badge} state=${task.state} /> ${sentenceOf(task)}</p>
    <${TimeAxis} task=${task} />
    <div class="beside"><dl class="facts card">
      <dt>Destination</dt><dd class="breakable"><${PlaceLink} place=${{ ...placeOfDestination(task.destination_type, task.destination), key: task.destination_key }} /></dd>
      ${dead !== undefined && html`<dt>Dead destination</dt><dd class="breakable"><${PlaceLink} place=${dead} /></dd>`}
      ${task.dead_reason !== null && html`<dt>Given up</dt><dd>${words(task.dead_reason)}</dd>`}
      <dt>Accepted</dt><dd><${Time} at=${task.created_at} /> from ${task.source}</dd>
      <dt>Client</dt><dd><a href=${addressOf('tasks', { q: withCondition('', 'client_id', [task.client_id]) })}>${task.client_id}</a></dd>
      ${typeof task.flow_key === 'string' && html`<dt>Flow key</dt><dd><a href=${addressOf('destination', { key: task.flow_key })}>${task.flow_key}</a></dd>`}
      <dt>Run</dt><dd>${task.run}${task.edits > 0 ? `, edited ${task.edits} ${task.edits === 1 ? 'time' : 'times'}` : ''}${task.is_priority ? ', priority' : ''}</dd>
      <dt>Retries</dt><dd>${retriesText(task.policy)}, then ${task.on_exhausted === 'park' ? 'parked' : 'to its dead destination'}</dd>
      <dt>Engine</dt><dd><a href=${`/admin/queues/task?id=${encodeURIComponent(id)}`}>its job on the board</a></dd>
    </dl>
    <div><${Timeline} task=${task} />
    <${Message} key=${versionOf(task)} id=${id} length=${task.message_bytes} /></div></div>`;
}

/** Where it goes when its retries are over; undefined where it is parked then. */
function deadPlaceOf({ on_exhausted, dead_destination, dead_destination_type, destination_type }: TaskView): DestinationPlace | undefined {
  return on_exhausted === 'park' || dead_destination === undefined ? undefined : placeOfDestination(dead_destination_type ?? destination_type, dead_destination);
}

function PlaceLink({ place: { text, key } }: { readonly place: DestinationPlace }): VNode {
  return key === undefined ? html`<span>${text}</span>` : html`<a href=${addressOf('destination', { key })}>${text}</a>`;
}

function sentenceOf(task: TaskView): Shown {
  const dead = deadPlaceOf(task);
  const deadText = dead === undefined ? 'Its dead destination' : html`Its dead destination <${PlaceLink} place=${dead} />`;
  if (task.waiting_for !== null) {
    const isTime = ['initial_delay', 'backoff', 'dead_backoff'].includes(task.waiting_for.code);
    if (isTime) return html`It waits for its time: the ${task.attempt === 0 && task.phase === 'delivery' ? 'first' : 'next'} send${task.phase === 'dead_letter' ? ' to its dead destination' : ''} is <${Time} at=${task.next_attempt_at} isDistance />, at <${Time} at=${task.next_attempt_at} />.`;
    return html`<${Said} text=${`${task.waiting_for.message}.`} />`;
  }
  switch (task.state) {
    case 'delivered': return html`It was delivered <${Time} at=${task.finished_at} isDistance />.`;
    case 'delivering': return 'It is being sent now.';
    case 'parked': return html`It waits for a person since <${Time} at=${task.finished_at} />: this is its only copy.`;
    case 'dead_lettered': return html`${isWhereItWent(task) ? deadText : 'The dead destination that it had then'} has it since <${Time} at=${task.finished_at} />.`;
    case 'cancelled': return html`A person cancelled it <${Time} at=${task.finished_at} isDistance />.`;
    default: return html`It is sent <${Time} at=${task.next_attempt_at} isDistance />.`;
  }
}

/** What was read of another version is not shown any more. */
const versionOf = ({ id, run, edits }: TaskView): string => `${id} ${run} ${edits}`;

function TaskButtons({ task }: { readonly task: TaskView }): VNode {
  const { id, state } = task;
  const can = mayOperate() ? actionsFor(state) : [];
  const change = (verb: string, text: string, path: string, method: 'POST' | 'DELETE', action: string | undefined, isDangerous = false): void => ask({
    title: verb, text: html`<p>${text}</p>`, verb, isDangerous,
    act: async ({ reason }) => {
      // What became of it is said by the answer: it may be in another state than this page shows.
      const { message } = await callApi<{ readonly message: string }>(withQuery(`/tasks/${partOfPath(id)}${path}`, { reason, action }), { method, ...(method === 'POST' ? { body: {} } : {}) });
      say('done', message);
    },
  });
  return html`<span class="buttons">
    ${can.includes('redrive') && html`<button type="button" class="primary" onClick=${() => change('Send again', 'It starts again as a new run, with all its retries.', '/retry', 'POST', undefined)}>Send again …</button>`}
    ${can.includes('send_now') && html`<button type="button" class="primary" onClick=${() => change('Send now', 'It is due now. A pause, a limit or an open circuit still holds it.', '/retry', 'POST', undefined)}>Send now …</button>`}
    ${can.length > 0 && hasPermission('edit') && html`<button type="button" onClick=${() => askEdit(id, can.includes('redrive'))}>Edit …</button>`}
    ${can.includes('cancel') && html`<button type="button" class="danger" onClick=${() => change('Cancel it', 'It is not sent any more. Its record stays for a while.', '', 'DELETE', 'cancel', true)}>Cancel …</button>`}
    ${can.includes('delete') && html`<button type="button" class="danger" onClick=${() => change('Delete it', 'This is the only copy, and it is gone then.', '', 'DELETE', 'delete', true)}>Delete …</button>`}
    ${hasPermission('payload') && html`<${CopyAsCurl} key=${versionOf(task)} id=${id} />`}
  </span>`;
}

/** The command that hands over the same task again. It is asked for when it is wanted, since it holds the message. */
function CopyAsCurl({ id }: { readonly id: string }): VNode {
  const [text, setText] = useState<string | undefined>(undefined);
  const load = async (): Promise<void> => {
    const task = await callApi<object>(`/tasks/${partOfPath(id)}/submission`);
    setText(`curl -sS -X POST '${location.origin}/tasks' -H 'Content-Type: application/json' -d '${JSON.stringify(task).replaceAll("'", String.raw`'\''`)}'`);
  };
  return text === undefined ? html`<button type="button" onClick=${() => void load().catch((error: unknown) => say('failed', String(error instanceof Error ? error.message : error)))}>As curl</button>` : html`<${Copy} text=${text} title="Copy curl" />`;
}

type Entry = TaskView['timeline'][number];

function Timeline({ task }: { readonly task: TaskView }): VNode {
  const newest = [...task.timeline].reverse();
  return html`<h2>What happened</h2>${newest.length === 0 ? html`<p class="soft">It has not been sent yet.</p>` : html`<ol class="timeline">${newest.map((entry, nth) => html`<li key=${newest.length - nth} class=${classOf(entry)}>${lineOf(entry)}</li>`)}</ol>`}`;
}

function classOf(entry: Entry): string {
  if (entry.kind !== 'attempt') return 'other';
  return entry.outcome === 'delivered' ? 'good' : 'bad';
}

function lineOf(entry: Entry): Shown {
  switch (entry.kind) {
    case 'attempt': {
      const name = `${entry.phase === 'delivery' ? (entry.attempt === 0 ? 'First send' : `Retry ${entry.attempt}`) : 'Dead letter'}${entry.run > 1 ? `, run ${entry.run}` : ''}`;
      if (entry.outcome === 'delivered') return html`<${At} at=${entry.started_at} /><strong>${name}</strong> delivered <span class="soft">in ${duration(entry.duration_ms)}</span>`;
      return html`<${At} at=${entry.started_at} /><strong>${name}</strong> ${words(entry.error_code ?? 'failed')}${entry.http_status === null ? '' : ` (${entry.http_status})`} <span class="soft">after ${duration(entry.duration_ms)}</span>${typeof entry.error === 'string' && html`<div class="error breakable">${entry.error}</div>`}`;
    }
    case 'deferred': return html`<${At} at=${entry.deferred_at} /><strong>Held back</strong> ${words(entry.reason)}`;
    case 'edited': return html`<${At} at=${entry.edited_at} /><strong>Edited</strong> by ${actorName(entry.by)}`;
    case 'redriven': return html`<${At} at=${entry.redriven_at} /><strong>Started again</strong> as run ${entry.run}<${Doer} entry=${entry} />`;
    case 'cancelled': return html`<${At} at=${entry.cancelled_at} /><strong>Cancelled</strong><${Doer} entry=${entry} />`;
    case 'released': return entry.error_code === null
      ? html`<${At} at=${entry.released_at} /><strong>Made due</strong><${Doer} entry=${entry} />`
      : html`<${At} at=${entry.released_at} /><strong>Given back</strong> uncounted, ${words(entry.error_code)}`;
    case 'omitted': return html`<span class="soft">${entry.omitted} entries are left out</span>`;
    // A newer process may know more kinds.
    default: return words((entry as { readonly kind: string }).kind);
  }
}

const At = ({ at }: { readonly at: string }): VNode => html`<span class="when"><${Time} at=${at} isExact /></span>`;

/** Who did it, and as part of which bulk action. */
function Doer({ entry }: { readonly entry: { readonly by?: Parameters<typeof actorName>[0] | null; readonly bulk_action_id?: string | null } }): Shown {
  return html`<span class="soft">${entry.by === null || entry.by === undefined ? '' : ` by ${actorName(entry.by)}`}${typeof entry.bulk_action_id !== 'string' ? '' : html` in <a href=${addressOf('bulk-action', { id: entry.bulk_action_id })}>a bulk action</a>`}</span>`;
}

/** Hidden until it is asked for. It is text, byte for byte: no number in it is read and written again. */
function Message({ id, length }: { readonly id: string; readonly length: number }): VNode {
  const [text, setText] = useState<string | undefined>(undefined);
  const [isBroken, setBroken] = useState(false);
  const show = async (): Promise<void> => {
    try {
      setText((await callApi<{ readonly message_data: string }>(withQuery(`/tasks/${partOfPath(id)}`, { include: 'message_data' }))).message_data);
    } catch (error) {
      say('failed', error instanceof Error ? error.message : String(error));
    }
  };
  if (!hasPermission('payload')) return html`<h2>Message</h2><p class="soft">${bytes(length)}. Your key may not see messages: it lacks the permission payload.</p>`;
  if (text === undefined) return html`<h2>Message</h2><p><button type="button" onClick=${show}>Show it</button> <span class="soft">${bytes(length)}</span></p>`;
  return html`<div class="head"><h2>Message</h2><span class="buttons"><button type="button" class="small" aria-pressed=${isBroken} onClick=${() => setBroken(!isBroken)}>Wrap</button> <${Copy} text=${text} /> <button type="button" class="small" onClick=${() => setText(undefined)}>Hide</button></span></div><pre class=${isBroken ? 'wrapped' : ''} tabindex="0">${text}</pre>`;
}
