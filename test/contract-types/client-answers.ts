// What the contract says of an answer is what the types of the client say of it. `./contract.js` is no file: contract-types.test.ts makes it.
import type { Accepted, Actor, AuditEntry, Destination, Removed, Stats, Status, SubmitResult, TaskState, TaskView } from '../../client/answers.js';
import type { components } from './contract.js';

type Schemas = components['schemas'];

export const accepted = (answer: Schemas['Accepted']): Accepted => answer;
export const removed = (answer: Schemas['Removed']): Removed => answer;
export const taskView = (answer: Schemas['TaskView']): TaskView => answer;
export const submitResult = (answer: Schemas['BatchAnswer']['results'][number]): SubmitResult => answer;
export const actor = (answer: Schemas['Actor']): Actor => answer;
export const auditEntry = (answer: Schemas['AuditEntry']): AuditEntry => answer;
export const destination = (answer: Schemas['Destination']): Destination => answer;
export const stats = (answer: Schemas['Stats']): Stats => answer;
export const status = (answer: Schemas['Status']): Status => answer;

/** States are closed, so both lists hold the same. */
export const states: readonly [(state: Schemas['State']) => TaskState, (state: TaskState) => Schemas['State']] = [(state) => state, (state) => state];
