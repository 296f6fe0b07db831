import { useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { AuditEntry } from '../../../client/answers.js';
import { html, type Shown } from '../html.js';
import { Empty, Failure, TaskLink, Time, Waiting } from '../parts/basics.js';
import { ApiFailure, callApi, withQuery } from '../state/api.js';
import { count, shortKey, words } from '../state/format.js';
import { useLive } from '../state/live.js';
import { addressOf, goTo, place } from '../state/location.js';
import { actorName } from './destinations.js';

interface Page {
  readonly entries: readonly AuditEntry[];
  readonly next_cursor: string | null;
  readonly is_complete: boolean;
}

const kinds = [['', 'everything'], ['task', 'tasks'], ['destination', 'destinations'], ['bulk_action', 'bulk actions'], ['key', 'keys']] as const;

/** Who changed what, when, and why. */
export function Audit(): VNode {
  const target = place.value.query.get('target') ?? '';
  const actor = place.value.query.get('actor') ?? '';
  const kind = place.value.query.get('kind') ?? '';
  const question = `audit ${target} ${actor}`;
  return html`<div class="head"><h1>Audit</h1><span class="soft">Who changed what, and why. The last 10,000 changes.</span></div>
    <nav class="chips" aria-label="Kinds">${kinds.map(([name, title]) => html`<button key=${name} type="button" class="chip" aria-pressed=${kind === name} onClick=${() => goTo(addressOf('audit', { kind: name, target, actor }))}>${title}</button>`)}
      ${(target !== '' || actor !== '') && html`<a class="chip" href=${addressOf('audit')}>Only ${target === '' ? `by ${actor}` : target} ×</a>`}</nav>
    <${Entries} key=${question} target=${target} actor=${actor} kind=${kind} />`;
}

function Entries({ target, actor, kind }: { readonly target: string; readonly actor: string; readonly kind: string }): VNode {
  const [more, setMore] = useState<readonly Page[]>([]);
  const [kept, setKept] = useState<Page | undefined>(undefined);
  const [failed, setFailed] = useState<ApiFailure | undefined>(undefined);
  const { value, failure, reload } = useLive(`audit ${target} ${actor}`, (asking) => callApi<Page>(withQuery('/audit', { target, actor, limit: 200 }), asking), kept === undefined ? 5_000 : Infinity);
  if (value === undefined) return failure === undefined ? html`<${Waiting} />` : html`<${Failure} failure=${failure} reload=${reload} />`;
  const pages = [kept ?? value, ...more];
  const entries = pages.flatMap((page) => page.entries).filter(({ action }) => kind === '' || action.startsWith(`${kind}.`));
  const cursor = pages.at(-1)?.next_cursor ?? null;
  const loadMore = async (): Promise<void> => {
    setKept(kept ?? value);
    setFailed(undefined);
    try {
      setMore([...more, await callApi<Page>(withQuery('/audit', { target, actor, limit: 200, cursor }))]);
    } catch (error) {
      setFailed(error instanceof ApiFailure ? error : new ApiFailure(0, 'unreachable', String(error)));
    }
  };
  const missing = pages.some((page) => !page.is_complete) && html`<p class="soft" role="status">A part of Redis does not answer: changes that stand there are missing here.</p>`;
  if (entries.length === 0 && cursor === null && missing === false) return html`<${Empty} title="Nothing was changed">Every change by a person or a program stands here, with its reason.</${Empty}>`;
  return html`${missing}<div class="scroll"><table class="stacked audit"><thead><tr><th>When</th><th>Who</th><th>What</th><th>On</th><th>Why</th><th>Outcome</th></tr></thead>
    <tbody>${entries.map(({ id, at, actor: by, action, target: on, reason, count: many, outcome, error_code }) => html`<tr key=${id}><td><${Time} at=${at} /></td><td class="who">${actorName(by)}</td><td class="first line">${words(action.replace('.', ' '))}${many === null || many <= 1 ? '' : html` <span class="soft">${count(many)} tasks</span>`}</td>
      <td class="breakable"><${Target} on=${on} /></td><td>${reason ?? ''}</td><td class="line">${outcome === 'done' ? '' : html`<span class="bad">${error_code === null ? outcome : words(error_code)}</span>`}</td></tr>`)}</tbody></table></div>
    ${failed !== undefined && html`<${Failure} failure=${failed} reload=${loadMore} />`}
    ${entries.length === 0 && html`<p class="soft">None among the newest ${count(pages.reduce((sum, each) => sum + each.entries.length, 0))}.</p>`}
    ${cursor !== null && html`<p class="foot"><button type="button" onClick=${loadMore}>Older ones</button></p>`}`;
}

function Target({ on }: { readonly on: AuditEntry['target'] }): Shown {
  if (on.type === 'task') return html`<${TaskLink} id=${on.id} />`;
  if (on.type === 'destination') return html`<a href=${addressOf('destination', { key: on.id })}>${on.id === '*' ? 'everything' : shortKey(on.id)}</a>`;
  if (on.type === 'bulk_action') return html`<a href=${addressOf('bulk-action', { id: on.id })}>${on.id}</a>`;
  return `${on.type} ${on.id}`;
}

