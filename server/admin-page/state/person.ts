import { signal, type Signal } from '@preact/signals';

/** It rises when somebody else is at the page than before: what a view has read for the one must not be shown to the other. */
export const changesOfPerson = signal(0);

/** The session has ended, and it is not known yet who comes next: nothing that was read or said in it is shown. */
export const isSignedOut = signal(false);

/** Whether people are told apart by their keys. Without access keys there is nobody but the name that a person gives himself. */
export const hasKey = signal(false);

/** A signal outside of all views that belongs to the person at the page: with somebody else it is again what it was at first. */
export function signalOfPerson<T>(first: T): Signal<T> {
  const own = signal(first);
  changesOfPerson.subscribe(() => { own.value = first; });
  return own;
}
