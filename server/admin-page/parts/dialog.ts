import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { VNode } from 'preact';

import { html, type Shown } from '../html.js';
import { ApiFailure } from '../state/api.js';
import { askNow } from '../state/live.js';
import { keepOperatorName, operatorName } from '../state/operator.js';
import { isSignedOut, signalOfPerson } from '../state/person.js';
import { session } from '../state/session.js';
import { sentenceOfChange } from './basics.js';

/** What is asked of a person before something changes. */
export interface Question {
  readonly title: string;
  readonly text?: Shown;
  /** On the button: `Pause`, `Cancel 12 tasks`. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** It must be typed before the button works. */
  readonly typed?: string;
  /** Further fields: `name` is handed to `act` with what was typed. */
  readonly fields?: readonly { readonly name: string; readonly label: string; readonly placeholder?: string; readonly value?: string; readonly hint?: string }[];
  /** Whether a reason may be given, or has to be. */
  readonly reason?: 'optional' | 'required' | 'none';
  /** @throws ApiFailure or Error, which is shown; the dialog stays open then */
  readonly act: (given: { readonly reason: string | undefined; readonly fields: Readonly<Record<string, string>> }) => Promise<void>;
}

const asked = signalOfPerson<Question | undefined>(undefined);

/** It lives outside the view: no refresh of that takes away what a person has typed. */
export function ask(question: Question): void {
  asked.value = question;
}

export function Dialogs(): VNode | null {
  return asked.value === undefined ? null : html`<${QuestionDialog} question=${asked.value} close=${() => { asked.value = undefined; }} />`;
}

/**
 * A modal dialog: focus stays inside, Escape closes it, and focus goes back where it was. Behind the end of a session it is not shown, and what
 * was written in it is there again for the same person.
 */
export function Modal({ label, close, isBusy = false, children }: { readonly label: string; readonly close: () => void; readonly isBusy?: boolean; readonly children?: Shown }): VNode {
  const box = useRef<HTMLDialogElement>(null);
  // Before the next key is read: what runs after the paint may come behind it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const own = box.current;
    return () => {
      // Nothing behind an open modal dialog can be focused, and its removal gives the focus to nobody.
      own?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const isHidden = isSignedOut.value;
  useLayoutEffect(() => {
    // A modal dialog that is merely hidden would still keep the page behind it from being used.
    if (isHidden) box.current?.close();
    else if (box.current?.open === false) box.current.showModal();
  }, [isHidden]);
  return html`<dialog ref=${box} aria-label=${label} onCancel=${(event: Event) => { event.preventDefault(); if (!isBusy) close(); }} onClose=${() => { if (box.current !== null && !isSignedOut.value) close(); }}>${children}</dialog>`;
}

function QuestionDialog({ question, close }: { readonly question: Question; readonly close: () => void }): VNode {
  const { title, text, verb, isDangerous = false, typed, fields = [], reason: wanted = 'optional', act } = question;
  const [reason, setReason] = useState('');
  const [confirmed, setConfirmed] = useState('');
  const [given, setGiven] = useState<Readonly<Record<string, string>>>(Object.fromEntries(fields.map(({ name, value = '' }) => [name, value])));
  const [isBusy, setBusy] = useState(false);
  const [complaint, setComplaint] = useState('');
  const isReady = !isBusy && (typed === undefined || confirmed.trim() === typed) && (wanted !== 'required' || reason.trim() !== '');

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    setComplaint('');
    try {
      await act({ reason: reason.trim() === '' ? undefined : reason.trim(), fields: given });
      askNow();
      close();
    } catch (error) {
      setComplaint(error instanceof ApiFailure ? sentenceOfChange(error) : error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return html`<${Modal} label=${title} close=${close} isBusy=${isBusy}>
    <form onSubmit=${submit}>
      <h2>${title}</h2>
      ${text !== undefined && html`<div class="text">${text}</div>`}
      ${fields.map(({ name, label, placeholder = '', hint }) => html`<label key=${name}>${label}
        <input value=${given[name] ?? ''} placeholder=${placeholder} onInput=${(event: Event) => setGiven({ ...given, [name]: (event.target as HTMLInputElement).value })} />
        ${hint !== undefined && html`<span class="hint">${hint}</span>`}
      </label>`)}
      ${wanted !== 'none' && html`<label><span>Reason${wanted === 'optional' ? html` <span class="hint">(optional)</span>` : ''}</span>
        <input value=${reason} maxlength="500" placeholder="Kept in the audit" onInput=${(event: Event) => setReason((event.target as HTMLInputElement).value)} />
      </label>`}
      ${wanted !== 'none' && html`<${OperatorField} />`}
      ${typed !== undefined && html`<label><span>Type <strong>${typed}</strong> to confirm</span>
        <input value=${confirmed} autocomplete="off" onInput=${(event: Event) => setConfirmed((event.target as HTMLInputElement).value)} />
      </label>`}
      ${complaint !== '' && html`<p class="complaint" role="alert">${complaint}</p>`}
      <div class="buttons">
        <button type="button" disabled=${isBusy} onClick=${close}>Leave it</button>
        <button type="submit" class=${isDangerous ? 'danger' : 'primary'} disabled=${!isReady}>${isBusy ? 'Working …' : verb}</button>
      </div>
    </form>
  </${Modal}>`;
}

/** Without access keys nobody is known: the audit has the name that is given here. */
export function OperatorField(): VNode | null {
  const [name, setName] = useState(operatorName());
  if (session.value?.key_id !== null) return null;
  const keep = (event: Event): void => {
    const { value } = event.target as HTMLInputElement;
    setName(value);
    keepOperatorName(value);
  };
  return html`<label><span>Your name <span class="hint">(optional, for the audit)</span></span><input value=${name} maxlength="100" autocomplete="name" onInput=${keep} /></label>`;
}
