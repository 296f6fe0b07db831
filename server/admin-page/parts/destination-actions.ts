import type { VNode } from 'preact';

import type { ChangedDestination } from '../../../client/answers.js';
import { html } from '../html.js';
import { callApi, pathOfDestination } from '../state/api.js';
import { localTime } from '../state/format.js';
import { askNow } from '../state/live.js';
import { untilOf } from '../state/until.js';
import { mayOperate } from '../state/session.js';
import { ask } from './dialog.js';
import type { ListedDestination } from './destination-rows.js';
import { say } from './notices.js';

/** The key that stands for every send of the fleet. */
export const EVERYTHING = '*';

export const nameOf = (key: string): string => (key === EVERYTHING ? 'everything' : key);

/** @param done the fleet is held, before the dialog closes */
export function askPause(destination: { readonly key: string; readonly id?: string }, done?: () => void): void {
  const isAll = destination.key === EVERYTHING;
  ask({
    title: isAll ? 'Hold every send of the whole fleet' : 'Pause',
    text: html`${isAll ? html`<p>Nothing is sent any more, to any destination, until somebody resumes it. Tasks are still accepted and kept.</p>` : html`<p>Nothing is sent to <strong>${destination.key}</strong> any more. Its tasks wait, and lose no attempt.</p>`}`,
    verb: isAll ? 'Hold everything' : 'Pause',
    isDangerous: isAll,
    ...(isAll ? { typed: 'hold' } : {}),
    fields: [{ name: 'until', label: 'Until', placeholder: '30min, 2h, 2026-11-30 08:00', hint: 'Empty: until somebody resumes it.' }],
    act: async ({ reason, fields }) => {
      const until = untilOf(fields['until'] ?? '');
      const { paused, hint } = await callApi<ChangedDestination>(pathOfDestination(destination.key, '/pause'), { method: 'POST', body: { ...(reason === undefined ? {} : { reason }), ...(until === undefined ? {} : { until }) } });
      done?.();
      say('done', `Paused ${nameOf(destination.key)}${typeof paused?.until !== 'string' ? '' : `, until ${localTime(new Date(paused.until), new Date())}`}.${spaced(hint)}`);
    },
  });
}

/** @param done as askPause */
export function askResume(destination: { readonly key: string; readonly id?: string }, done?: () => void): void {
  ask({
    title: destination.key === EVERYTHING ? 'Resume every send of the whole fleet' : 'Resume',
    text: html`<p>${destination.key === EVERYTHING ? 'Everything that waited is sent, within the limits of each destination.' : html`<strong>${destination.key}</strong> gets its tasks again, and an open circuit is closed.`}</p>`,
    verb: 'Resume',
    act: async ({ reason }) => {
      const { paused, hint } = await callApi<ChangedDestination>(pathOfDestination(destination.key, '/resume'), { method: 'POST', body: reason === undefined ? {} : { reason } });
      done?.();
      if (paused === null) say('done', `Resumed ${nameOf(destination.key)}.${spaced(hint)}`);
      else say('failed', `${nameOf(destination.key)} is still held: ${nameOf(paused.key)} is paused.`);
    },
  });
}

function askLimits(destination: ListedDestination): void {
  // Those that hold may be the limits of its group.
  const limits = destination.limited_by === destination.key ? destination.limits : null;
  ask({
    title: 'Limits',
    text: html`<p>For <strong>${destination.key}</strong>, by the whole fleet together.${destination.limited_by !== null && destination.limited_by !== destination.key ? html` Until now those of <strong>${destination.limited_by}</strong> hold: ${limitsText(destination.limits)}.` : ''}</p>`,
    verb: 'Set limits',
    reason: 'optional',
    fields: [
      { name: 'rate', label: 'Sends a second', value: limits?.rate?.toString() ?? '', placeholder: 'no limit' },
      { name: 'max_concurrency', label: 'Sends at the same time', value: limits?.max_concurrency?.toString() ?? '', placeholder: 'no limit' },
    ],
    act: async ({ reason, fields }) => {
      const wanted: Record<string, number> = {};
      for (const name of ['rate', 'max_concurrency']) {
        const text = (fields[name] ?? '').trim();
        if (text === '') continue;
        if (!(Number(text) > 0)) throw new Error(`${name === 'rate' ? 'Sends a second' : 'Sends at the same time'} must be a number above 0, or empty.`);
        wanted[name] = Number(text);
      }
      const query = reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`;
      // It is kept beside the rate, and asked for nowhere.
      if (wanted['rate'] !== undefined && limits?.burst !== undefined) wanted['burst'] = limits.burst;
      const isNone = Object.keys(wanted).length === 0;
      const { hint } = await callApi<ChangedDestination>(`${pathOfDestination(destination.key)}${query}`, isNone ? { method: 'DELETE' } : { method: 'PUT', body: wanted });
      say('done', `${isNone ? `${destination.key} has no limits any more.` : `Limits of ${destination.key} are set.`}${spaced(hint)}`);
      askNow();
    },
  });
}

/** What the API has to say about the name, behind a sentence. */
const spaced = (hint: ChangedDestination['hint']): string => (hint === null ? '' : ` ${hint}`);

/** `2.5 sends a second, 4 at the same time` */
export function limitsText(limits: ListedDestination['limits']): string {
  const parts = [limits?.rate !== undefined && `${limits.rate} sends a second`, limits?.burst !== undefined && `at most ${limits.burst} at once`, limits?.max_concurrency !== undefined && `${limits.max_concurrency} at the same time`];
  return parts.filter(Boolean).join(', ');
}

export function DestinationButtons({ destination }: { readonly destination: ListedDestination }): VNode | null {
  if (!mayOperate()) return null;
  const { paused, circuit } = destination;
  const isPausedHere = paused?.key === destination.key;
  return html`<span class="buttons">
    ${isPausedHere || circuit.state !== 'closed' ? html`<button type="button" class="primary" onClick=${() => askResume(destination)}>Resume …</button>` : ''}
    ${isPausedHere ? '' : html`<button type="button" onClick=${() => askPause(destination)}>Pause …</button>`}
    <button type="button" onClick=${() => askLimits(destination)}>Limits …</button>
  </span>`;
}
