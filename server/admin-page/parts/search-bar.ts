import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import { deliveryErrors } from '../../../shared/domain/errors.js';
import { filterFields, filterNames } from '../../../shared/domain/search/filter-fields.js';
import { html } from '../html.js';
import { readQuery } from '../state/filter-text.js';

interface Completion {
  readonly text: string;
  readonly note: string;
}

const NOTES: Readonly<Record<string, string>> = {
  state: 'parked, dead_lettered, waiting, …', id: 'also the beginning: order-12*', client_id: 'who handed it over', source: 'where it came from', flow_key: 'its line', destination_key: 'a host, endpoint or topic',
  destination_type: 'http or kafka', error_code: 'of the last failed send', http_status: '404, 5xx, 400..499', attempts: 'sends of this run', dead_reason: 'why it was given up', created_at: '>-1h = in the last hour',
  updated_at: '>-5m', next_attempt_at: '<+10m = due within ten minutes', finished_at: '>-1d', bulk_action_id: 'changed by this action',
};
const times = ['>-15m', '>-1h', '>-24h'];
const MOST = 12;

/** The names and values that fit what stands before the caret. */
function completionsFor(before: string): { readonly from: number; readonly list: readonly Completion[] } {
  const term = /(?:^|\s)-?([\w.]*)(:(?:[^\s"]*,)?([^\s",]*))?$/.exec(before);
  if (term === null) return { from: before.length, list: [] };
  const [, name = '', hasColon, typed = ''] = term;
  if (hasColon === undefined) {
    const from = before.length - name.length;
    const list = filterNames.filter((each) => each.startsWith(name) && each !== 'destination').map((each) => ({ text: `${each}:`, note: NOTES[each] ?? '' }));
    if ('data.'.startsWith(name) && name !== '') list.push({ text: 'data.', note: 'a field of the message: data.order.id:1001' });
    return { from, list };
  }
  const kind = Object.hasOwn(filterFields, name) ? filterFields[name as keyof typeof filterFields] : undefined;
  const values: readonly string[] = kind?.kind === 'choice' ? kind.choices : kind?.kind === 'time' ? times : name === 'error_code' ? Object.keys(deliveryErrors) : name === 'destination_type' ? ['http', 'kafka'] : name === 'http_status' ? ['4xx', '5xx', '404', '429', '503'] : [];
  return { from: before.length - typed.length, list: values.filter((value) => value.startsWith(typed) && value !== typed).map((text) => ({ text, note: '' })) };
}

/** One line for every search, with completion. Enter searches; `/` brings a person here from anywhere. */
export function SearchBar({ q, search }: { readonly q: string; readonly search: (q: string) => void }): VNode {
  const [text, setText] = useState(q);
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  /** Where typing goes on when a completion was taken. */
  const caretAfter = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (caretAfter.current === undefined) return;
    input.current?.focus();
    input.current?.setSelectionRange(caretAfter.current, caretAfter.current);
    caretAfter.current = undefined;
  });
  useEffect(() => { setText(q); setOpen(false); }, [q]);
  const caret = input.current?.selectionStart ?? text.length;
  const { from, list } = completionsFor(text.slice(0, caret));
  const shown = isOpen ? list.slice(0, MOST) : [];
  const read = readQuery(text);

  const take = ({ text: added }: Completion): void => {
    const isWhole = !/[:.]$/.test(added);
    const next = `${text.slice(0, from)}${added}${isWhole ? ' ' : ''}`;
    setText(next + text.slice(caret).replace(/^\s+/, ''));
    setChosen(-1);
    setOpen(!isWhole);
    caretAfter.current = next.length;
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!isOpen) { setOpen(true); return; }
      if (shown.length > 0) setChosen((before) => (before + (event.key === 'ArrowDown' ? 1 : -1) + shown.length + (before < 0 && event.key === 'ArrowUp' ? 1 : 0)) % shown.length);
    } else if (event.key === 'Escape') { setOpen(false); setChosen(-1); }
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen >= 0 && shown[chosen] !== undefined) { event.preventDefault(); take(shown[chosen]); }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    setOpen(false);
    if ('filter' in read) search(text.trim());
  };
  return html`<form class="search" role="search" onSubmit=${submit}>
    <div class="field">
      <input ref=${input} id="search" type="text" role="combobox" aria-label="Search tasks" aria-expanded=${shown.length > 0} aria-controls=${listId} aria-autocomplete="list"
        aria-activedescendant=${chosen >= 0 ? `${listId}-${chosen}` : undefined} autocomplete="off" autocapitalize="off" spellcheck=${false} value=${text} placeholder="order-123*   client_id:acme state:parked   data.order.id:1001"
        onInput=${(event: Event) => { setText((event.target as HTMLInputElement).value); setOpen(true); setChosen(-1); }} onKeyDown=${onKey} onFocus=${() => setOpen(text === '')} onBlur=${() => setOpen(false)} />
      <kbd aria-hidden="true">/</kbd>
      <ul id=${listId} role="listbox" aria-label="Completions" hidden=${shown.length === 0}>${shown.map((each, nth) => html`<li key=${each.text} id=${`${listId}-${nth}`} role="option" aria-selected=${nth === chosen}
        onMouseDown=${(event: Event) => { event.preventDefault(); take(each); }}><code>${each.text}</code> <span class="soft">${each.note}</span></li>`)}</ul>
    </div>
    <button type="submit" class="primary">Search</button>
    ${'complaint' in read && !isOpen && text !== q && html`<p class="complaint" role="alert">At ${read.position}: ${read.complaint}.</p>`}
  </form>`;
}
