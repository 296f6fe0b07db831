import { useEffect, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import type { Submission } from '../../../client/answers.js';
import { html } from '../html.js';
import { ApiFailure, callApi, partOfPath, withQuery } from '../state/api.js';
import { askNow } from '../state/live.js';
import { signalOfPerson } from '../state/person.js';
import { sentenceOf, sentenceOfChange, Waiting } from './basics.js';
import { Modal, OperatorField } from './dialog.js';
import { say } from './notices.js';

const edited = signalOfPerson<{ readonly id: string; readonly canRetry: boolean } | undefined>(undefined);

/** @param canRetry it is dead or parked: an edit alone sends nothing */
export function askEdit(id: string, canRetry: boolean): void {
  edited.value = { id, canRetry };
}

export function EditDialogs(): VNode | null {
  return edited.value === undefined ? null : html`<${EditDialog} ...${edited.value} close=${() => { edited.value = undefined; }} />`;
}

interface Fields {
  readonly destination: string;
  readonly dead_destination: string;
  readonly message_data: string;
  readonly max_retries: string;
  readonly base_delay: string;
}

/** A text field shows line ends of one kind; the message keeps its own unless the text was changed. */
const asShown = (text: string): string => text.replace(/\r\n?/g, '\n');

function fieldsOf(task: Submission): Fields {
  const json = (value: unknown): string => (value === undefined || value === null ? '' : JSON.stringify(value, null, 2));
  return { destination: json(task.destination), dead_destination: json(task.dead_destination), message_data: asShown(task.message_data), max_retries: String(task.max_retries), base_delay: String(task.base_delay) };
}

/** @returns the members of PATCH that differ @throws Error for what cannot be sent */
function patchOf(before: Fields, now: Fields): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const name of ['destination', 'dead_destination'] as const) {
    if (now[name] === before[name]) continue;
    try {
      patch[name] = now[name].trim() === '' ? null : JSON.parse(now[name]);
    } catch (error) {
      throw new Error(`${name} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const name of ['max_retries', 'base_delay'] as const) {
    if (now[name] === before[name]) continue;
    patch[name] = now[name].trim() === '' ? null : Number(now[name]);
    if (Number.isNaN(patch[name])) throw new Error(`${name} must be a number`);
  }
  if (now.message_data !== before.message_data) patch['message_data'] = now.message_data;
  return patch;
}

function EditDialog({ id, canRetry, close }: { readonly id: string; readonly canRetry: boolean; readonly close: () => void }): VNode {
  const [before, setBefore] = useState<Fields | undefined>(undefined);
  const [now, setNow] = useState<Fields | undefined>(undefined);
  const [reason, setReason] = useState('');
  const [isRetried, setRetried] = useState(canRetry);
  const [complaint, setComplaint] = useState('');
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    const gone = new AbortController();
    callApi<Submission>(`/tasks/${partOfPath(id)}/submission`, { signal: gone.signal }).then(
      (task) => { setBefore(fieldsOf(task)); setNow(fieldsOf(task)); },
      (error: unknown) => { if (!gone.signal.aborted) setComplaint(error instanceof ApiFailure ? sentenceOf(error) : String(error)); },
    );
    return () => gone.abort();
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (before === undefined || now === undefined || isBusy) return;
    setBusy(true);
    setComplaint('');
    try {
      const patch = patchOf(before, now);
      const query = { reason: reason.trim() };
      if (Object.keys(patch).length > 0) await callApi(withQuery(`/tasks/${partOfPath(id)}`, query), { method: 'PATCH', body: patch });
      if (isRetried) await callApi(withQuery(`/tasks/${partOfPath(id)}/retry`, query), { method: 'POST', body: {} });
      say('done', `${Object.keys(patch).length > 0 ? 'Changed' : 'Nothing was changed'}${isRetried ? ', and sent again' : ''}: ${id}`);
      askNow();
      close();
    } catch (error) {
      setComplaint(error instanceof ApiFailure ? sentenceOfChange(error) : error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  const area = (name: keyof Fields, label: string, rows: number): VNode => html`<label>${label}<textarea rows=${rows} spellcheck=${false} value=${now?.[name]} onInput=${(event: Event) => now !== undefined && setNow({ ...now, [name]: (event.target as HTMLTextAreaElement).value })}></textarea></label>`;
  const line = (name: keyof Fields, label: string): VNode => html`<label>${label}<input inputmode="decimal" value=${now?.[name]} onInput=${(event: Event) => now !== undefined && setNow({ ...now, [name]: (event.target as HTMLInputElement).value })} /></label>`;

  return html`<${Modal} label=${`Edit ${id}`} close=${close} isBusy=${isBusy}>
    <form onSubmit=${submit} class="edit">
      <h2>Edit <span class="id">${id}</span></h2>
      ${now === undefined ? complaint === '' && html`<${Waiting} />` : html`
        ${area('destination', 'Destination', 4)}
        ${area('dead_destination', 'Dead destination', 2)}
        ${area('message_data', 'Message, as it is sent', 6)}
        <div class="row">${line('max_retries', 'Retries')}${line('base_delay', 'Base delay in seconds')}</div>
        <label><span>Reason <span class="hint">(optional)</span></span><input maxlength="500" value=${reason} placeholder="Kept in the audit" onInput=${(event: Event) => setReason((event.target as HTMLInputElement).value)} /></label>
        <${OperatorField} />
        ${canRetry && html`<label class="check"><input type="checkbox" checked=${isRetried} onChange=${() => setRetried(!isRetried)} /> and send it again, as a new run</label>`}`}
      ${complaint !== '' && html`<p class="complaint" role="alert">${complaint}</p>`}
      <div class="buttons"><button type="button" disabled=${isBusy} onClick=${close}>Leave it</button><button type="submit" class="primary" disabled=${now === undefined || isBusy}>${isBusy ? 'Working …' : isRetried ? 'Save and send again' : 'Save'}</button></div>
    </form>
  </${Modal}>`;
}
