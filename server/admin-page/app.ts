import { render, type ComponentType, type RefObject, type VNode } from 'preact';
import { useEffect, useErrorBoundary, useRef } from 'preact/hooks';

import type { ShownDestination } from '../../client/answers.js';
import { html } from './html.js';
import { Said, Time, sentenceOf } from './parts/basics.js';
import { BulkDialogs } from './parts/bulk-dialog.js';
import { askPause, askResume, EVERYTHING } from './parts/destination-actions.js';
import { Dialogs } from './parts/dialog.js';
import { EditDialogs } from './parts/edit-dialog.js';
import { Notices, say } from './parts/notices.js';
import { callApi, pathOfDestination } from './state/api.js';
import { answeredAt, isHeldStill, startLive, status, trouble, useLive } from './state/live.js';
import { addressOf, followLink, goTo, place, type View } from './state/location.js';
import { nextStepOf } from './state/next-step.js';
import { changesOfPerson, isSignedOut, signalOfPerson } from './state/person.js';
import { followSession, judgeSession, mayAdminister, mayOperate, session, signOut } from './state/session.js';
import { Audit } from './views/audit.js';
import { BulkActions, BulkActionView } from './views/bulk-actions.js';
import { Destination, Destinations, actorName } from './views/destinations.js';
import { FailureList } from './views/failures.js';
import { Home } from './views/home.js';
import { Task } from './views/task.js';
import { Tasks } from './views/tasks.js';

const components: Readonly<Record<View, ComponentType>> = {
  home: Home, tasks: Tasks, task: Task, destinations: Destinations, destination: Destination, failures: FailureList, 'bulk-actions': BulkActions, 'bulk-action': BulkActionView, audit: Audit,
};
const titles: Readonly<Record<View, string>> = {
  home: 'Overview', tasks: 'Tasks', task: 'Task', destinations: 'Destinations', destination: 'Destination', failures: 'Failures', 'bulk-actions': 'Bulk actions', 'bulk-action': 'Bulk action', audit: 'Audit',
};
/** The entry of the menu that a view belongs to. */
const menu: readonly (readonly [View, string, readonly View[]])[] = [
  ['home', 'Overview', ['home', 'failures']], ['tasks', 'Tasks', ['tasks', 'task']], ['destinations', 'Destinations', ['destinations', 'destination']], ['bulk-actions', 'Bulk actions', ['bulk-actions', 'bulk-action']], ['audit', 'Audit', ['audit']],
];

function App(): VNode {
  const { view, query } = place.value;
  const isMoved = useRef(false);
  const name = query.get('id') ?? query.get('key');
  const isHidden = isSignedOut.value;
  const title = isHidden ? 'Signed out' : name === null ? titles[view] : `${name} · ${titles[view]}`;
  useEffect(() => { document.title = `${title} · Kafka Retry Service`; }, [title]);
  useEffect(() => {
    // A person at the keyboard goes on where the new view begins; whoever is typing stays where he is.
    if (isMoved.current && document.activeElement?.tagName !== 'INPUT') document.getElementById('main')?.focus({ preventScroll: true });
    isMoved.current = true;
  }, [view]);
  useEffect(() => {
    // On a phone the menu is wider than the screen.
    const own = document.querySelector<HTMLElement>('nav [aria-current=page]');
    if (own?.parentElement) own.parentElement.scrollLeft = own.offsetLeft - 60;
  }, [view, mayAdminister()]);
  return html`<div onClick=${followLink}>
    <a class="skip" href="#main">To the content</a>
    <header>
      <a class="brand" href=${addressOf('home')}><svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true"><path d="M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3" /></svg><span>Kafka Retry Service</span></a>
      <nav aria-label="Views">${menu.filter(([target]) => target !== 'audit' || mayAdminister()).map(([target, title, own]) => html`<a key=${target} href=${addressOf(target)} aria-current=${own.includes(view) ? 'page' : undefined}>${title}</a>`)}
        <a href="/admin/queues">Board</a><a href="/docs">API</a></nav>
      <${Live} /><${HoldEverything} /><${Person} />
    </header>
    ${!isHidden && html`<${FleetPause} key=${changesOfPerson.value} /><${Warnings} view=${view} />`}
    <main id="main" tabindex="-1" hidden=${isHidden}><${Guarded} key=${`${view} ${changesOfPerson.value}`} view=${view} /></main>
    <${Dialogs} /><${BulkDialogs} /><${EditDialogs} /><${Notices} />
  </div>`;
}

/** A fault of ours in one view must not leave an empty page. */
function Guarded({ view }: { readonly view: View }): VNode {
  const [error, again] = useErrorBoundary() as readonly [unknown, () => void];
  const Shown = components[view];
  if (error === undefined) return html`<${Shown} />`;
  return html`<div class="failure" role="alert"><p>This view cannot show what the service answered (${error instanceof Error ? error.message : 'an unknown fault'}). The other views still work.</p><button type="button" onClick=${again}>Try again</button></div>`;
}

/** What is wrong with the whole service is said on each view; the overview says it by itself. */
function Warnings({ view }: { readonly view: View }): VNode | null {
  const reasons = status.value?.reasons.filter(({ code }) => ['redis_unavailable', 'shard_away', 'no_worker'].includes(code)) ?? [];
  return view === 'home' || reasons.length === 0 ? null : html`<p class="warning ${status.value?.status ?? ''}" role="alert">${reasons.map(({ code, message }) => html`<${Said} key=${code} text=${`${message}. ${nextStepOf(code) ?? ''} `} />`)}</p>`;
}

/** How old the data is, and the switch that holds the page still. */
function Live(): VNode {
  const failure = trouble.value;
  const isHeld = isHeldStill.value;
  const isLost = failure !== undefined;
  // That it was refused is an answer.
  const isOut = isSignedOut.value;
  const text = isOut ? 'Signed out' : isHeld ? 'Frozen' : isLost ? 'No answer' : 'Live';
  return html`<div class="live">
    <span class="dot ${isHeld ? 'held' : isLost ? 'lost' : (status.value?.status ?? '')}" aria-hidden="true"></span>
    <span role="status">${text}${!isOut && (isHeld || isLost) && answeredAt.value > 0 ? html`, as of <${Time} at=${new Date(answeredAt.value).toISOString()} />` : ''}</span>
    <button type="button" class="small" title="Nothing new is shown: the page stays as it is" aria-pressed=${isHeld} onClick=${() => { isHeldStill.value = !isHeld; }}>${isHeld ? 'Go on' : 'Freeze'}</button>
  </div>${isLost && html`<p class="lost" role="alert">${sentenceOf(failure)}${failure.status === 401 ? html` <a href=${location.pathname + location.search} target="_blank">Sign in</a> in a new tab, then come back.` : ''}</p>`}`;
}

/** Who is signed in, and with which role. */
function Person(): VNode | null {
  const who = session.value;
  if (who?.key_id === null || who === undefined) return null;
  return html`<div class="live person"><span title=${`${who.name ?? ''} (key ${who.key_id})`}><span class="who">${who.name === 'BOOTSTRAP_API_KEY' ? 'bootstrap' : (who.name ?? who.key_id)}</span>, ${who.role}</span> <button type="button" class="small" onClick=${leave}>Sign out</button></div>`;
}

/** A person who walks away must not take a session that goes on for one that has ended. */
function leave(): void {
  signOut().catch((error: unknown) => say('failed', `You may still be signed in: ${error instanceof Error ? error.message : String(error)}. Press again later.`));
}

/** The pause of the whole fleet; undefined while it is not known. */
const fleetPause = signalOfPerson<ShownDestination['paused'] | undefined>(undefined);

/** Of the two switches below each takes the other's place, and with it the focus of the person who has pressed it. */
let focusWanted: 'hold' | 'resume' | undefined;

function useWantedFocus(name: 'hold' | 'resume'): RefObject<HTMLButtonElement | null> {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Nothing behind an open dialog can be focused; this is drawn again soon.
    if (focusWanted !== name || button.current === null || document.querySelector('dialog[open]') !== null) return;
    focusWanted = undefined;
    button.current.focus();
  });
  return button;
}

/** The switch that holds every send of the fleet. While nothing is known, nothing is offered. */
function HoldEverything(): VNode | null {
  const button = useWantedFocus('hold');
  return fleetPause.value !== null || !mayOperate() ? null : html`<button ref=${button} type="button" class="small danger" onClick=${() => askPause({ key: EVERYTHING }, () => { focusWanted = 'resume'; })}>Hold every send …</button>`;
}

/** While every send is held, each view says so. */
function FleetPause(): VNode | null {
  const { value } = useLive('fleet', (asking) => callApi<ShownDestination>(pathOfDestination(EVERYTHING), asking), 2_000);
  const button = useWantedFocus('resume');
  useEffect(() => { fleetPause.value = value?.paused; }, [value]);
  if (value === undefined || value.paused === null) return null;
  const { paused } = value;
  return html`<div class="fleet held" role="alert"><span><strong>Every send is held</strong> since <${Time} at=${paused.since} />${paused.by === null ? '' : ` by ${actorName(paused.by)}`}${paused.reason === null ? '' : `: “${paused.reason}”`}${paused.until === null ? '' : html`, until <${Time} at=${paused.until} />`}</span>
    ${mayOperate() && html`<button ref=${button} type="button" onClick=${() => askResume({ key: EVERYTHING }, () => { focusWanted = 'hold'; })}>Resume every send …</button>`}</div>`;
}

document.addEventListener('keydown', (event) => {
  const from = event.target;
  const isTyping = from instanceof HTMLElement && (from.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(from.tagName));
  if (event.key !== '/' || isTyping || event.metaKey || event.ctrlKey || event.altKey || document.querySelector('dialog[open]') !== null) return;
  event.preventDefault();
  if (place.value.view !== 'tasks') goTo(addressOf('tasks'));
  requestAnimationFrame(() => document.getElementById('search')?.focus());
});

const home = document.getElementById('page');
// What stood there until now is not the page's own, and would stay behind it.
home?.replaceChildren();
// Their calls are under way while the page is drawn.
startLive(judgeSession);
followSession();
if (home !== null) render(html`<${App} />`, home);
