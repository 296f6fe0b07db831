import { useEffect, useMemo, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { BulkAction } from '../../../client/answers.js';
import type { TaskAction } from '../../../shared/domain/task/state-actions.js';
import { html, type Shown } from '../html.js';
import { ApiFailure, callApi } from '../state/api.js';
import { count, words } from '../state/format.js';
import { addressOf, goTo } from '../state/location.js';
import { askNow } from '../state/live.js';
import { signalOfPerson } from '../state/person.js';
import { Badge, KeyInLine, sentenceOf, sentenceOfChange, TaskLink } from './basics.js';
import { Modal, OperatorField } from './dialog.js';
import { say } from './notices.js';

/** Which tasks, in the words of POST /bulk-actions. The dialog counts and sends just these. */
export type Chosen = { readonly filter: { readonly q: string } } | { readonly ids: readonly string[] };

interface Asked {
  readonly action: TaskAction;
  readonly chosen: Chosen;
}

interface DryRun {
  readonly matched: number;
  readonly is_exact: boolean;
  readonly scanned: number;
  readonly next_cursor: string | null;
  readonly by_error_code: readonly Group[];
  readonly by_destination_key: readonly Group[];
  readonly samples: readonly { readonly id: string; readonly state: string; readonly error_code: string | null }[];
}
interface Group {
  readonly value: string | null;
  readonly count: number;
}

/** From this number on it is typed, not clicked. */
const TYPED_ABOVE = 100;
const GROUPS_SHOWN = 6;

export const verbs: Readonly<Record<TaskAction, { readonly name: string; readonly done: string; readonly text: string; readonly ofOne: string; readonly isDangerous: boolean }>> = {
  redrive: { name: 'Redrive', done: 'redriven', text: 'They start again as new runs, with all their retries, at their own destinations.', ofOne: 'It starts again as a new run, with all its retries, at its own destination.', isDangerous: false },
  send_now: { name: 'Send now', done: 'made due', text: 'They are due now, with the attempt that was to come. Pauses, limits and open circuits still hold them.', ofOne: 'It is due now, with the attempt that was to come. A pause, a limit or an open circuit still holds it.', isDangerous: false },
  cancel: { name: 'Cancel', done: 'cancelled', text: 'They are not sent any more.', ofOne: 'It is not sent any more.', isDangerous: true },
  delete: { name: 'Delete', done: 'deleted', text: 'They are removed for good: these are the only copies.', ofOne: 'It is removed for good: this is the only copy.', isDangerous: true },
};

const asked = signalOfPerson<Asked | undefined>(undefined);

export function askBulk(action: TaskAction, chosen: Chosen): void {
  asked.value = { action, chosen };
}

export function BulkDialogs(): VNode | null {
  return asked.value === undefined ? null : html`<${BulkDialog} ...${asked.value} close=${() => { asked.value = undefined; }} />`;
}

function BulkDialog({ action, chosen, close }: Asked & { readonly close: () => void }): VNode {
  const { name, text, ofOne, isDangerous } = verbs[action];
  const [found, setFound] = useState<DryRun | undefined>(undefined);
  const [round, setRound] = useState(0);
  const [before, setBefore] = useState<number | undefined>(undefined);
  const [complaint, setComplaint] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [fields, setFields] = useState({ rate: '', reason: '', typed: '' });
  // A repeat after a lost answer is the same action, as long as it asks for the same.
  const asks = `${found?.matched} ${fields.rate} ${fields.reason}`;
  const id = useMemo(newActionId, [asks]);
  const isReasonNeeded = action === 'cancel' || action === 'delete';
  const isCounted = found !== undefined && found.next_cursor === null;
  const isOne = found === undefined ? 'ids' in chosen && chosen.ids.length === 1 : isCounted && found.matched === 1;
  const noun = isOne ? 'task' : 'tasks';
  const needsTyping = found !== undefined && found.matched > TYPED_ABOVE;
  const wrongRate = fields.rate.trim() !== '' && !(Number(fields.rate) >= 0.001 && Number(fields.rate) <= 1_000_000);
  const isReady = isCounted && found.matched > 0 && !isBusy && !wrongRate && (!isReasonNeeded || fields.reason.trim() !== '') && (!needsTyping || fields.typed.replace(/[,\s]/g, '') === String(found.matched));

  useEffect(() => {
    const gone = new AbortController();
    const countAll = async (): Promise<void> => {
      let sum: DryRun | undefined;
      let cursor: string | null = null;
      do {
        const part: DryRun = await callApi<DryRun>('/bulk-actions', { method: 'POST', body: { action, ...chosen, dry_run: true, ...(cursor === null ? {} : { cursor }) }, signal: gone.signal });
        sum = sum === undefined ? part : added(sum, part);
        setFound(sum);
        cursor = part.next_cursor;
      } while (cursor !== null && !gone.signal.aborted);
    };
    setFound(undefined);
    setComplaint('');
    countAll().catch((error: unknown) => { if (!gone.signal.aborted) setComplaint(error instanceof ApiFailure ? sentenceOf(error) : String(error)); });
    return () => gone.abort();
  }, [round]);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    setComplaint('');
    try {
      const made = await callApi<BulkAction>('/bulk-actions', {
        method: 'POST',
        body: { id, action, ...chosen, expected: found.matched, ...(fields.rate.trim() === '' ? {} : { rate: Number(fields.rate) }), ...(fields.reason.trim() === '' ? {} : { reason: fields.reason.trim() }) },
      });
      close();
      askNow();
      say('done', html`${name} of ${count(found.matched)} has begun.`);
      goTo(addressOf('bulk-action', { id: made.id }));
    } catch (error) {
      setBusy(false);
      // Other tasks than the person has seen: it is counted anew and asked again, and never repeated by itself.
      if (error instanceof ApiFailure && error.code === 'count_differs') {
        setBefore(found.matched);
        setFields({ ...fields, typed: '' });
        setRound(round + 1);
      } else setComplaint(error instanceof ApiFailure ? sentenceOfChange(error) : String(error));
    }
  };
  const input = (field: keyof typeof fields) => (event: Event): void => setFields({ ...fields, [field]: (event.target as HTMLInputElement).value });

  return html`<${Modal} label=${name} close=${close} isBusy=${isBusy}>
    <form onSubmit=${submit}>
      <h2>${name} ${'ids' in chosen ? `${count(chosen.ids.length)} selected` : 'all that match'}</h2>
      ${'filter' in chosen && html`<code class="query">${chosen.filter.q}</code>`}
      <p class="soft">${isOne ? ofOne : text}</p>
      <div class="counted" aria-live="polite">
        <strong class="number">${found === undefined ? '…' : count(found.matched)}</strong>
        <span>${found === undefined ? 'counting' : isCounted ? (found.is_exact ? `${noun}, counted exactly` : `${noun}, as far as could be counted`) : `tasks so far, ${count(found.scanned)} looked at`}</span>
      </div>
      ${before !== undefined && found !== undefined && html`<p class="complaint" role="alert">It was ${count(before)} when you looked, and nothing was touched. Now it is ${count(found.matched)}: look again.</p>`}
      ${found !== undefined && found.matched > 0 && html`<div class="groups">
        <${Groups} title="By error" groups=${found.by_error_code} print=${words} />
        <${Groups} title="By destination" groups=${found.by_destination_key} print=${(key: string) => html`<${KeyInLine} text=${key} />`} />
      </div>
      <details><summary>Samples</summary><ul class="samples">${found.samples.map(({ id, state, error_code }) => html`<li key=${id}><${TaskLink} id=${id} isApart /> <${Badge} state=${state} /> ${error_code === null ? '' : words(error_code)}</li>`)}</ul></details>`}
      ${found !== undefined && isCounted && found.matched === 0 && html`<p>None of them is in a state that this takes.</p>`}
      <div class="row">
        <label><span>Rate <span class="hint">a second, empty = no limit</span></span>
          <input inputmode="decimal" value=${fields.rate} placeholder="no limit" onInput=${input('rate')} aria-invalid=${wrongRate} /></label>
        <label><span>Reason <span class="hint">${isReasonNeeded ? '' : '(optional)'}</span></span><input maxlength="500" value=${fields.reason} placeholder="Kept in the audit" onInput=${input('reason')} /></label>
      </div>
      ${needsTyping && html`<label><span>Type <strong>${String(found.matched)}</strong> to confirm</span><input inputmode="numeric" autocomplete="off" value=${fields.typed} onInput=${input('typed')} /></label>`}
      <${OperatorField} />
      ${complaint !== '' && html`<p class="complaint" role="alert">${complaint} ${!isCounted && html`<button type="button" class="small" onClick=${() => setRound(round + 1)}>Count again</button>`}</p>`}
      <div class="buttons">
        <button type="button" disabled=${isBusy} onClick=${close}>Leave it</button>
        <button type="submit" class=${isDangerous ? 'danger' : 'primary'} disabled=${!isReady}>${isBusy ? 'Starting …' : `${name}${found === undefined ? '' : ` ${count(found.matched)}`}`}</button>
      </div>
    </form>
  </${Modal}>`;
}

function Groups({ title, groups, print }: { readonly title: string; readonly groups: readonly Group[]; readonly print: (text: string) => Shown }): VNode {
  const sorted = [...groups].sort((a, b) => b.count - a.count);
  return html`<section><h3>${title}</h3><ul>
    ${sorted.slice(0, GROUPS_SHOWN).map(({ value, count: many }) => html`<li key=${value ?? ''}><span title=${value ?? ''}>${value === null ? 'none' : print(value)}</span><b>${count(many)}</b></li>`)}
    ${sorted.length > GROUPS_SHOWN && html`<li class="soft"><span>${count(sorted.length - GROUPS_SHOWN)} more</span><b>${count(sorted.slice(GROUPS_SHOWN).reduce((sum, group) => sum + group.count, 0))}</b></li>`}
  </ul></section>`;
}

/** `crypto.randomUUID` is missing on plain http. */
function newActionId(): string {
  return `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** The last part says for all of them whether they are exact. */
function added(a: DryRun, b: DryRun): DryRun {
  return {
    ...b,
    matched: a.matched + b.matched,
    scanned: a.scanned + b.scanned,
    by_error_code: addedGroups(a.by_error_code, b.by_error_code),
    by_destination_key: addedGroups(a.by_destination_key, b.by_destination_key),
    samples: [...a.samples, ...b.samples].slice(0, 10),
  };
}

function addedGroups(a: readonly Group[], b: readonly Group[]): Group[] {
  const sums = new Map<string | null, number>();
  for (const { value, count: many } of [...a, ...b]) sums.set(value, (sums.get(value) ?? 0) + many);
  return [...sums].map(([value, many]) => ({ value, count: many }));
}
