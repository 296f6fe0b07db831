import { signal } from '@preact/signals';

import { pageViews } from '../../../shared/wire/page-views.js';

export type View = 'home' | (typeof pageViews)[number];

export interface Place {
  readonly view: View;
  readonly query: URLSearchParams;
}

function placeIn({ pathname, search }: Location): Place {
  const name = pathname.replace(/^\/admin\/?/, '').replace(/\/$/, '');
  return { view: (pageViews as readonly string[]).includes(name) ? (name as View) : 'home', query: new URLSearchParams(search) };
}

/** What the address names. It holds everything that is looked at, so that a link shows a colleague the same. */
export const place = signal<Place>(placeIn(location));

addEventListener('popstate', () => { place.value = placeIn(location); });

/** `addressOf('task', { id: 'a b' })` -> `/admin/task?id=a%20b` */
export function addressOf(view: View, query: Readonly<Record<string, string | undefined>> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name}=${encodeURIComponent(value)}`]));
  return `/admin${view === 'home' ? '' : `/${view}`}${parts.length === 0 ? '' : `?${parts.join('&')}`}`;
}

/** @param replace the address before is not worth going back to, as while a person types */
export function goTo(address: string, { replace = false } = {}): void {
  if (address === location.pathname + location.search) return;
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  place.value = placeIn(location);
  if (!replace) scrollTo(0, 0);
}

/** For links inside the page. What opens a new tab is left to the browser. */
export function followLink(event: MouseEvent): void {
  const link = (event.target as Element | null)?.closest('a');
  if (link === null || link === undefined || link.target !== '' || link.hasAttribute('download')) return;
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  // The link that leads over the menu.
  if (url.hash !== '') return;
  if (url.origin !== location.origin || !/^\/admin(?:\/(?!queues)|$)/.test(url.pathname)) return;
  event.preventDefault();
  goTo(url.pathname + url.search);
}
