import { useEffect, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { TaskSummary } from '../../../client/answers.js';
import { statesTakenBy, takes, taskActions, type TaskAction } from '../../../shared/domain/task/state-actions.js';
import { html } from '../html.js';
import { Badge, Empty, Failure, KeyInLine, TaskLink, Time, Waiting } from '../parts/basics.js';
import { askBulk, verbs } from '../parts/bulk-dialog.js';
import { CalmBox, useCalm } from '../parts/calm-rows.js';
import { SearchBar } from '../parts/search-bar.js';
import { ApiFailure, callApi, withQuery } from '../state/api.js';
import { readQuery, takesState, valuesOf, withCondition, withoutField } from '../state/filter-text.js';
import { count, words } from '../state/format.js';
import { status, useLive } from '../state/live.js';
import { addressOf, goTo, place } from '../state/location.js';
import { mayOperate } from '../state/session.js';

interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  readonly next_cursor: string | null;
  readonly scanned: number;
  readonly not_read: number;
  readonly is_complete: boolean;
}

const PAGE = 100;
/** A search that is asked again and again must find its first page in a moment. */
const REFRESH_MS = 3_000;

/** Find any task, and act on those that were found. */
export function Tasks(): VNode {
  const q = place.value.query.get('q') ?? '';
  const order = place.value.query.get('order') === 'oldest' ? 'oldest' : 'newest';
  const read = readQuery(q);
  const go = (next: string): void => goTo(addressOf('tasks', { q: next, order: order === 'oldest' ? order : undefined }));
  return html`<div class="head"><h1>Tasks</h1></div>
    <${SearchBar} q=${q} search=${go} />
    <${States} q=${q} go=${go} />
    ${'complaint' in read ? html`<p class="complaint" role="alert">At ${read.position}: ${read.complaint}.</p>` : html`<${Found} key=${`${order} ${q}`} q=${q} order=${order} />`}`;
}

const chips = [
  ['all', null], ['waiting', ['waiting']], ['being sent', ['delivering']], ['parked', ['parked']], ['dead-lettered', ['dead_lettered']], ['delivered', ['delivered']], ['cancelled', ['cancelled']],
] as const;

function States({ q, go }: { readonly q: string; readonly go: (q: string) => void }): VNode {
  const chosen = 'filter' in readQuery(q) ? valuesOf(q, 'state').join() : undefined;
  // They are numbers of all tasks: beside a narrower list they would mislead.
  const counts = withoutField(q, 'state') === '' ? status.value?.counts : undefined;
  const many: Readonly<Record<string, number | undefined>> = { waiting: counts?.waiting, 'being sent': counts?.sending, parked: counts?.parked, 'dead-lettered': counts?.dead_lettered, };
  return html`<nav class="chips" aria-label="States">${chips.map(([name, states]) => html`<button key=${name} type="button" class="chip" aria-pressed=${chosen === (states ?? []).join()}
    onClick=${() => go(states === null ? withoutField(q, 'state') : withCondition(q, 'state', states))}>${name}${many[name] === undefined ? '' : html` <span class="n">${count(many[name])}</span>`}</button>`)}</nav>`;
}

function Found({ q, order }: { readonly q: string; readonly order: 'newest' | 'oldest' }): VNode {
  const [more, setMore] = useState<readonly TaskPage[]>([]);
  /** The first page stays as it was when further ones were asked for behind it. */
  const [kept, setKept] = useState<TaskPage | undefined>(undefined);
  const [isLoading, setLoading] = useState(false);
  const [failed, setFailed] = useState<ApiFailure | undefined>(undefined);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const first = useLive(`tasks ${order} ${q}`, (asking) => callApi<TaskPage>(withQuery('/tasks', { q, order, limit: PAGE }), asking), kept === undefined ? REFRESH_MS : Infinity);
  const page = kept ?? first.value;
  const calm = useCalm(`${order} ${q}`, page?.tasks ?? [], ({ id }) => id, 'later');
  const pages = page === undefined ? [] : [{ ...page, tasks: calm.rows }, ...more];
  const last = pages.at(-1);
  const seen = new Set<string>();
  const tasks = pages.flatMap((page) => page.tasks).filter(({ id }) => !seen.has(id) && seen.add(id));
  const scanned = pages.reduce((sum, page) => sum + page.scanned, 0);
  const unread = pages.reduce((sum, page) => sum + page.not_read, 0);
  // What a refresh has taken away is chosen no more: the buttons act on what is seen.
  const selected = tasks.filter(({ id }) => chosen.has(id));

  const loadMore = async (): Promise<void> => {
    if (last?.next_cursor === undefined || last.next_cursor === null || isLoading) return;
    setKept(page);
    setLoading(true);
    setFailed(undefined);
    try {
      const next = await callApi<TaskPage>(withQuery('/tasks', { q, order, limit: PAGE, cursor: last.next_cursor }));
      setMore([...more, next]);
    } catch (error) {
      setFailed(error instanceof ApiFailure ? error : new ApiFailure(0, 'unreachable', String(error)));
    } finally {
      setLoading(false);
    }
  };
  // An empty page is not the end: the search goes on until it has found something, or looked at everything.
  useEffect(() => { if (tasks.length === 0 && last !== undefined && last.next_cursor !== null && pages.length < 30) void loadMore(); }, [last]);

  if (first.failure !== undefined && first.value === undefined) return html`<${Failure} failure=${first.failure} reload=${first.reload} />`;
  if (last === undefined) return html`<${Waiting} />`;
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const isAll = tasks.length > 0 && selected.length === tasks.length;
  return html`
    <${ActionBar} q=${q} tasks=${tasks} selected=${selected} hasMore=${last.next_cursor !== null} />
    ${tasks.length === 0
      ? html`<${Empty} title=${last.next_cursor === null ? (q === '' ? 'No tasks yet' : 'Nothing matches') : 'Nothing yet'}>
          ${q === '' ? html`Hand over a task with <code>POST /tasks</code>: <a href="/docs">the contract</a> shows how.` : `${last.next_cursor === null && takesState(q, 'delivered') ? 'Delivered tasks are forgotten after DELIVERED_RETENTION.' : ''}${/\b(?:error_code|http_status):/.test(q) ? ' A task counts by its last error: one that failed otherwise since then is found by that.' : ''}`}</${Empty}>`
      : html`<${CalmBox} touch=${calm.touch}><table class="tasks stacked">
        <thead><tr><th><label><input type="checkbox" aria-label="Select all that are shown" checked=${isAll} onChange=${() => setChosen(isAll ? new Set() : new Set(tasks.map(({ id }) => id)))} /><span class="phone"> Select all</span></label></th>
          <th>Task</th><th>State</th><th>Client</th><th>Destination</th><th class="n">Sends</th><th>Last error</th><th><a class="sort" href=${addressOf('tasks', { q, order: order === 'newest' ? 'oldest' : undefined })} title="Turn the order round">When ${order === 'newest' ? '↓' : '↑'}</a></th></tr></thead>
        <tbody>${tasks.map((task) => html`<${Row} key=${task.id} task=${task} isChosen=${chosen.has(task.id)} toggle=${toggle} q=${q} />`)}</tbody></table></${CalmBox}>`}
    ${failed !== undefined && html`<${Failure} failure=${failed} reload=${loadMore} />`}
    ${first.failure !== undefined && html`<${Failure} failure=${first.failure} reload=${first.reload} />`}
    <p class="foot soft">${count(tasks.length)} shown, ${count(scanned)} looked at${unread > 0 ? `, ${count(unread)} could not be read` : ''}.
      ${last.next_cursor === null ? (last.is_complete ? ' That is all.' : ' Not everything could be looked at.') : html` <button type="button" disabled=${isLoading} onClick=${loadMore}>${isLoading ? 'Looking …' : 'Look further'}</button>`}</p>`;
}

function Row({ task, isChosen, toggle, q }: { readonly task: TaskSummary; readonly isChosen: boolean; readonly toggle: (id: string) => void; readonly q: string }): VNode {
  const { id, state, client_id, destination_key, attempts, error_code, http_status, waiting_for, next_attempt_at, finished_at, updated_at } = task;
  const narrowed = (field: 'client_id' | 'error_code', value: string): string => addressOf('tasks', { q: withCondition(q, field, [value]) });
  return html`<tr class=${isChosen ? 'chosen' : ''}>
    <td><input type="checkbox" aria-label=${`Select ${id}`} checked=${isChosen} onChange=${() => toggle(id)} /></td>
    <td class="first"><${TaskLink} id=${id} /></td>
    <td><${Badge} state=${state} />${waiting_for === null ? '' : html` <span class="soft">${words(waiting_for)}</span>`}</td>
    <td class="cut client"><a class="quiet" href=${narrowed('client_id', client_id)} title=${`Only ${client_id}`}>${client_id}</a></td>
    <td class="cut"><a class="quiet" href=${addressOf('destination', { key: destination_key })} title=${destination_key} aria-label=${destination_key}><${KeyInLine} text=${destination_key} /></a></td>
    <td class="n" data-label="sends">${count(attempts)}</td>
    <td>${error_code === null ? '' : html`<a class="quiet" href=${narrowed('error_code', error_code)} title="Only this error">${words(error_code)}</a>`}${http_status === null ? '' : html` <span class="soft">${http_status}</span>`}</td>
    <td>${finished_at !== null ? html`<${Time} at=${finished_at} />` : next_attempt_at !== null ? html`<${Time} at=${next_attempt_at} isDistance />` : html`<${Time} at=${updated_at} />`}</td>
  </tr>`;
}

/** By the states that are asked for, not by those of the rows that happen to be loaded. An action refuses a state that it does not take. */
function actionsOn(asked: readonly string[]): readonly TaskAction[] {
  const states = asked.flatMap((state) => (state === 'waiting' ? statesTakenBy.send_now : [state]));
  return taskActions.filter((action) => states.every((state) => (statesTakenBy[action] as readonly string[]).includes(state)));
}

/** What can be done with the selected ones, or with all that match. */
function ActionBar({ q, tasks, selected, hasMore }: { readonly q: string; readonly tasks: readonly TaskSummary[]; readonly selected: readonly TaskSummary[]; readonly hasMore: boolean }): VNode | null {
  if (!mayOperate() || (tasks.length === 0 && !hasMore)) return null;
  if (selected.length > 0) {
    return html`<div class="bar" role="toolbar" aria-label="Selected tasks"><span>${count(selected.length)} selected</span>${taskActions.map((action) => {
      const able = selected.filter(({ state }) => takes(action, state));
      return able.length > 0 && html`<button key=${action} type="button" onClick=${() => askBulk(action, { ids: able.map(({ id }) => id) })}>${verbs[action].name} ${count(able.length)} …</button>`;
    })}</div>`;
  }
  if (q.trim() === '') return html`<div class="bar soft">Search or choose a state to act on all that match, or select some.</div>`;
  const actions = actionsOn(valuesOf(q, 'state'));
  if (actions.length === 0) return html`<div class="bar soft">Nothing can be done with all of these together.</div>`;
  return html`<div class="bar" role="toolbar" aria-label="All that match"><span>All that match <code class="breakable">${q}</code></span>${actions.map((action) => html`<button key=${action} type="button" onClick=${() => askBulk(action, { filter: { q } })}>${verbs[action].name} …</button>`)}</div>`;
}
