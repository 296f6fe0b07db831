import { signal } from '@preact/signals';

import { callApi } from './api.js';
import { isHeldStill, status, trouble } from './live.js';

/** Who is at the page: GET /session. Without access keys it is nobody, who may do everything. */
export interface Session {
  readonly key_id: string | null;
  readonly name: string | null;
  readonly role: 'submit' | 'read' | 'operate' | 'admin';
  readonly permissions: readonly string[];
}

/** undefined until it is known; then nothing is offered that would be refused. */
export const session = signal<Session | undefined>(undefined);
/** It rises when somebody else is at the page than before: what a view has read for the one must not be shown to the other. */
export const changesOfPerson = signal(0);
let lastKeyId: string | null | undefined;

/** Somebody else may be at the page than the one who is shown. */
let isInDoubt = true;

/** Asks who is at the page, with the first answer of the service, and again when somebody else may have signed in unseen. */
export function followSession(): void {
  const doubt = (): void => { isInDoubt = true; };
  document.addEventListener('visibilitychange', doubt);
  isHeldStill.subscribe(doubt);
  trouble.subscribe((failure) => {
    if (failure !== undefined) doubt();
    if (failure?.status === 401) session.value = undefined;
  });
  status.subscribe(() => { if (isInDoubt) readSession().catch(doubt); });
}

async function readSession(): Promise<void> {
  isInDoubt = false;
  const now = await callApi<Session>('/session');
  if (lastKeyId !== undefined && lastKeyId !== now.key_id) changesOfPerson.value += 1;
  lastKeyId = now.key_id;
  session.value = now;
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
