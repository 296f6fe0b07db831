import type { VNode } from 'preact';

import type { History, Status } from '../../../client/answers.js';
import { html } from '../html.js';
import { Empty, Failure, Said, Waiting } from '../parts/basics.js';
import { Chart } from '../parts/chart.js';
import { DestinationRows, LookedAt, type DestinationList } from '../parts/destination-rows.js';
import { FailureGroups } from '../parts/failure-groups.js';
import { StatsKnownAt } from '../parts/stats-known-at.js';
import { callApi, withQuery } from '../state/api.js';
import { count, DURATION_STEPS, duration, rate, shortCount, words } from '../state/format.js';
import { status, trouble, useLive } from '../state/live.js';
import { addressOf, place } from '../state/location.js';
import { nextStepOf } from '../state/next-step.js';

const spans = ['1h', '6h', '24h'] as const;

/** Is it healthy, what fails, and since when. */
export function Home(): VNode {
  const since = spans.find((span) => span === place.value.query.get('since')) ?? '1h';
  const now = status.value;
  return html`<div class="home">
    ${now === undefined ? trouble.value === undefined && html`<${Waiting} />` : html`<${Health} now=${now} /><${Tiles} now=${now} />`}
    <${Charts} since=${since} />
    <div class="columns">
      <section aria-label="Failing now"><div class="head"><h2>Failing now</h2>
        <nav class="spans" aria-label="Span of time">${spans.map((span) => html`<a key=${span} href=${addressOf('home', { since: span })} aria-current=${span === since ? 'true' : undefined}>${span}</a>`)}</nav>
      </div>
      <${FailureGroups} since=${since} most=${12} /></section>
      <section aria-label="Destinations by trouble"><div class="head"><h2>Destinations by trouble</h2><a href=${addressOf('destinations')}>All of them</a></div>
      <${Troubled} /></section>
    </div>
  </div>`;
}

const headlines = { ok: 'All is well', degraded: 'Something needs a look', down: 'Nothing is being delivered' } as const;

function Health({ now }: { readonly now: Status }): VNode {
  return html`<section class="health ${now.status}" aria-label="Health">
    <h1>${headlines[now.status]}</h1>
    ${now.reasons.length === 0
      ? html`<p class="soft">${count(now.workers)} ${now.workers === 1 ? 'worker' : 'workers'}, ${rate(now.rates.delivered['1m'])} delivered a second, nothing is held back that should not be.</p>`
      : html`<ul>${now.reasons.map(({ code, message }) => html`<li key=${code}><${Reason} code=${code} /> <${Said} text=${message} />${nextStepOf(code) !== undefined && html`<span class="soft">. ${nextStepOf(code)}</span>`}</li>`)}</ul>`}
  </section>`;
}

/** Where this page shows no more of it, it is no link. */
function Reason({ code }: { readonly code: string }): VNode {
  return nextStepOf(code) === undefined ? html`<a class="reason" href=${placeOf(code)}>${words(code)}</a>` : html`<strong class="reason">${words(code)}</strong>`;
}

/** Where a person looks next. */
function placeOf(code: string): string {
  if (code === 'parked') return addressOf('tasks', { q: 'state:parked' });
  if (code === 'circuit_open' || code === 'paused') return addressOf('destinations');
  return addressOf('tasks', { q: 'state:waiting' });
}

interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly href?: string;
  readonly kind?: 'bad' | 'warn' | false;
}

function Tiles({ now }: { readonly now: Status }): VNode | null {
  const { counts, rates, lateness_ms, oldest_due_ms, backlog, load } = now;
  if (counts === null) return null;
  const growth = backlog.per_second;
  const held = Object.values(counts.held ?? {}).reduce((sum, value) => sum + value, 0);
  const tiles: Tile[] = [
    { name: 'Delivered a second', value: rate(rates.delivered['1m']), note: `${rate(rates.created['1m'])} in, ${rate(rates.failed['1m'])} fail` },
    { name: 'Late', value: duration(lateness_ms.p99), note: oldest_due_ms === null ? 'nothing is overdue' : `oldest: ${duration(oldest_due_ms)}`, kind: (lateness_ms.p99 ?? 0) > 10_000 && 'warn' },
    { name: 'Due', value: shortCount(counts.due), note: growth === null || Math.abs(growth) < 0.05 ? 'steady' : growth > 0 ? `+${rate(growth)} a second` : `−${rate(-growth)} a second`, kind: growth !== null && growth > 1 && 'warn' },
    { name: 'Waiting', value: shortCount(counts.waiting), note: held > 0 ? `${shortCount(held)} held back` : 'for their time', href: addressOf('tasks', { q: 'state:waiting' }) },
    { name: 'Being sent', value: shortCount(counts.sending), note: now.workers === 0 ? 'no worker runs' : load === null ? 'their slots are not known' : `${Math.round(load * 100)} % of the slots`, href: addressOf('tasks', { q: 'state:delivering' }) },
    { name: 'Parked', value: shortCount(counts.parked), note: counts.parked > 0 ? 'wait for a person' : 'none waits for you', href: addressOf('tasks', { q: 'state:parked' }), kind: counts.parked > 0 && 'warn' },
    { name: 'Dead-lettered', value: shortCount(counts.dead_lettered), note: 'sent elsewhere', href: addressOf('tasks', { q: 'state:dead_lettered' }) },
  ];
  return html`<section class="tiles" aria-label="Numbers now">${tiles.map(({ name, value, note, href, kind }) => {
    const inside = html`<span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span>`;
    return href === undefined ? html`<div key=${name} class="tile ${kind || ''}">${inside}</div>` : html`<a key=${name} class="tile ${kind || ''}" href=${href}>${inside}</a>`;
  })}</section>`;
}

/** So much of a minute says something about it. */
const TELLING_MS = 10_000;
/** A service that has just begun is not shown at the edge of an empty hour. */
const FEWEST_POINTS = 10;

function pointsOf({ points, readAt }: History & { readonly readAt: number }): History['points'] {
  const told = points.filter(({ at }) => readAt - Date.parse(at) >= TELLING_MS);
  const first = told.findIndex(({ created, delivered, failed }) => created !== null || delivered !== null || failed !== null);
  return told.slice(Math.max(0, Math.min(first === -1 ? 0 : first - 1, told.length - FEWEST_POINTS)));
}

function Charts({ since }: { readonly since: string }): VNode | null {
  const { value, failure, reload } = useLive(`history ${since}`, async (asking) => ({ ...(await callApi<History>(withQuery('/history', { since }), asking)), readAt: Date.now() }), 5_000);
  if (value === undefined && failure !== undefined) return html`<${Failure} failure=${failure} reload=${reload} />`;
  if (value === undefined) return html`<div class="charts"><div class="chart"></div><div class="chart"></div></div>`;
  const points = pointsOf(value);
  const times = points.map(({ at }) => Date.parse(at));
  // The minute that is still going on is as long as it has lasted, or it would look like a fall.
  const lengths = times.map((at) => Math.min(value.step_ms, value.readAt - at) / 1_000);
  const perSecond = (number: number | null, nth: number): number | null => (number === null ? null : number / (lengths[nth] ?? 1));
  return html`<div class="charts">
    <${Chart} title="Tasks a second" times=${times} print=${rate} lines=${[
      { label: 'delivered', colour: '--good', values: points.map(({ delivered }, nth) => perSecond(delivered, nth)) },
      { label: 'created', colour: '--accent', values: points.map(({ created }, nth) => perSecond(created, nth)) },
      { label: 'failed sends', colour: '--bad', values: points.map(({ failed }, nth) => perSecond(failed, nth)) },
    ]} />
    <${Chart} title="Lateness of sends" times=${times} print=${(ms: number) => duration(ms)} steps=${DURATION_STEPS} lines=${[
      { label: 'p50', colour: '--accent', values: points.map(({ lateness_ms }) => lateness_ms.p50) },
      { label: 'p99', colour: '--warn', values: points.map(({ lateness_ms }) => lateness_ms.p99) },
    ]} />
  </div><${StatsKnownAt} at=${value.known_at} />`;
}

function Troubled(): VNode {
  const { value, failure, reload } = useLive('destinations by trouble', (asking) => callApi<DestinationList>('/destinations?limit=1000', asking), 3_000);
  if (failure !== undefined && value === undefined) return html`<${Failure} failure=${failure} reload=${reload} />`;
  if (value === undefined) return html`<${Waiting} />`;
  if (value.destinations.length === 0) return html`<${Empty} title="Nothing has been sent yet">Hand over a task with <code>POST /tasks</code>: <a href="/docs">the contract</a> shows how.</${Empty}>`;
  return html`<${DestinationRows} question="by trouble" destinations=${value.destinations} most=${10} /><${LookedAt} list=${value} />`;
}

