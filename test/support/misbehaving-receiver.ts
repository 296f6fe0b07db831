import { createReceiver, failingFirst, type Behaviour, type Receiver } from './receiver.js';

/** What its paths do; every other path answers 200, and so does `/dead`, where dead letters go. */
export const misbehaviours = {
  '/invoices': { kind: 'answer', status: 500, body: 'database down' },
  '/payments': { kind: 'answer', status: 500, body: 'database down' },
  '/gone': { kind: 'answer', status: 404, body: 'no such hook' },
  '/broken': { kind: 'break', when: 'before_headers' },
} as const satisfies Readonly<Record<string, Behaviour>>;

/** A receiver that fails in several ways: by a status, without an answer, and at `/flaky` once for each task. */
export async function createMisbehavingReceiver(): Promise<Receiver & { mend(path: keyof typeof misbehaviours): void }> {
  const receiver = await createReceiver();
  for (const [path, behaviour] of Object.entries(misbehaviours)) receiver.on(path, behaviour);
  receiver.on('/flaky', failingFirst(1, { kind: 'answer', status: 500 }));
  return Object.assign(receiver, { mend: (path: keyof typeof misbehaviours) => { receiver.on(path, { kind: 'answer' }); } });
}
