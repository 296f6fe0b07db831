import { signal } from '@preact/signals';

import { ApiFailure, callApi } from './api.js';
import { isHeldStill, trouble } from './live.js';
import { changesOfPerson, hasKey, isSignedOut } from './person.js';

/** Who is at the page: GET /session. Without access keys it is nobody, who may do everything. */
export interface Session {
  readonly key_id: string | null;
  readonly name: string | null;
  readonly role: 'submit' | 'read' | 'operate' | 'admin';
  readonly permissions: readonly string[];
}

/** undefined until it is known; then nothing is offered that would be refused. */
export const session = signal<Session | undefined>(undefined);
let lastKeyId: string | null | undefined;

/** Somebody else may be at the page than the one who is shown. */
let isInDoubt = true;

/** Follows what makes it doubtful who is at the page. */
export function followSession(): void {
  const doubt = (): void => { isInDoubt = true; };
  document.addEventListener('visibilitychange', doubt);
  isHeldStill.subscribe((isHeld) => { if (!isHeld) doubt(); });
  trouble.subscribe((failure) => { if (failure !== undefined) doubt(); });
  isSignedOut.subscribe((isOut) => {
    if (!isOut) return;
    doubt();
    session.value = undefined;
  });
}

/**
 * Asks who is at the page, before anything else is asked: who has another key may see less. Where there are keys it asks each time: with another
 * key in another window the cookie of this one changes too, and no answer to anything else tells of it. A page that is held still learns so of the
 * end of the session.
 * @throws ApiFailure 401; any other trouble is left to what is asked next
 */
export async function judgeSession(): Promise<void> {
  if (!isInDoubt && !hasKey.value) return;
  try {
    const now = await callApi<Session>('/session');
    isInDoubt = false;
    if (lastKeyId !== undefined && lastKeyId !== now.key_id) changesOfPerson.value += 1;
    lastKeyId = now.key_id;
    hasKey.value = now.key_id !== null;
    session.value = now;
    isSignedOut.value = false;
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401) throw error;
  }
}

/** Ends the session everywhere, and shows the page to sign in on. */
export async function signOut(): Promise<void> {
  await callApi('/session', { method: 'DELETE' });
  location.reload();
}

export const mayOperate = (): boolean => session.value?.role === 'operate' || session.value?.role === 'admin';
export const mayAdminister = (): boolean => session.value?.role === 'admin';

/** @param permission `edit`, `payload` */
export const hasPermission = (permission: string): boolean => session.value?.role === 'admin' || session.value?.permissions.includes(permission) === true;
