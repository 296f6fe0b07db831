import { signal } from '@preact/signals';

import { callApi } from './api.js';

/** Who is at the page: GET /session. Without access keys it is nobody, who may do everything. */
export interface Session {
  readonly key_id: string | null;
  readonly name: string | null;
  readonly role: 'submit' | 'read' | 'operate' | 'admin';
  readonly permissions: readonly string[];
}

/** undefined until it is known; then nothing is offered that would be refused. */
export const session = signal<Session | undefined>(undefined);

export async function readSession(): Promise<void> {
  session.value = await callApi<Session>('/session');
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
