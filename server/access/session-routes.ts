import type { Actor } from '../../shared/domain/actor.js';
import { parseApiKey } from '../../shared/domain/access/api-key.js';
import type { Caller } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer } from '../http/answer.js';
import { MAX_CHANGE_BYTES } from '../http/asked-change.js';
import { readJsonBody } from '../http/json-body.js';
import { printTime } from '../http/print-time.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { unauthenticated, type KeyJudge } from './key-judge.js';
import { parseSignIn } from './schema.js';
import type { RateLimiter } from './rate-limiter.js';
import { cookieOf, forgettingCookies, sessionTokenOf } from './session-cookie.js';
import type { Sessions } from './sessions.js';
import { takeOne } from './with-rate-limit.js';

export interface SessionParts {
  /** undefined while AUTH=off: nobody signs in. */
  readonly signIn: { readonly keys: Pick<KeyJudge, 'judge'>; readonly sessions: Pick<Sessions, 'start' | 'end'> } | undefined;
  readonly queue: Pick<TaskQueue, 'withAudit' | 'fleet' | 'lasting'>;
  readonly rateLimiter: RateLimiter;
  readonly logger: Logger;
}

/** How a person at a browser signs in with an access key, and out again. Nothing but the cookie holds the session, and no answer shows it. */
export const sessionRoutes: readonly Route<SessionParts>[] = [
  {
    method: 'POST',
    path: '/session',
    role: 'none',
    body: 'json',
    query: [],
    operationId: 'signIn',
    metricLabel: '/session',
    handle: async (context, parts) => {
      const { signIn } = parts;
      const text = parseSignIn(await readJsonBody(context, MAX_CHANGE_BYTES));
      if (signIn === undefined) throw new RequestError('invalid_request', 'nobody has to sign in here: AUTH=off');
      const caller = await signIn.keys.judge(context, text);
      const key = parseApiKey(text);
      if (key === undefined) throw unauthenticated();
      if (caller.rateLimit !== undefined) await takeOne(context, parts.rateLimiter, caller.rateLimit);
      const token = await signIn.sessions.start(key, sessionTokenOf(context.request));
      await noteChange(parts, 'session.create', context, { type: 'key', id: caller.id, name: caller.name });
      return jsonAnswer(201, toWireCaller(caller), { 'Set-Cookie': cookieOf(token, context.request) });
    },
  },
  {
    method: 'GET',
    path: '/session',
    role: 'any_key',
    isNarrowed: true,
    body: 'none',
    query: [],
    operationId: 'readSession',
    metricLabel: '/session',
    handle: async ({ caller }) => jsonAnswer(200, toWireCaller(caller)),
  },
  {
    method: 'DELETE',
    path: '/session',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'signOut',
    metricLabel: '/session',
    // It asks for nothing: whoever has the cookie of a session may end it, and a browser forgets the cookie of one that is gone.
    handle: async (context, parts) => {
      const { signIn } = parts;
      const token = sessionTokenOf(context.request);
      if (token !== undefined && signIn !== undefined) {
        // A failover must not bring it back. It is noted before the wait for replicas: where they are missing, the repeated call finds nothing to end.
        await parts.queue.lasting('fleet', async () => {
          if (await signIn.sessions.end(token)) await noteChange(parts, 'session.delete', context, { type: 'session', id: token.keyId, name: null });
        });
      }
      return { status: 204, headers: { 'Set-Cookie': forgettingCookies() } };
    },
  },
];

/** Who the API takes the sender for. While AUTH=off it is nobody, who may do everything. */
function toWireCaller({ id, name, role, permissions, clientIds, endsAt }: Caller): object {
  return { key_id: id, name, role, permissions, client_ids: clientIds ?? null, expires_at: endsAt === null ? null : printTime(endsAt) };
}

const saidOf = { 'session.create': 'a person has signed in', 'session.delete': 'a person has signed out' } as const;

/**
 * A person who comes in or leaves is not kept from it by an audit that cannot be written: the log has it too. Of one key ten a minute stand in
 * the audit, or the holder of the least key could push out what others have done.
 */
async function noteChange({ queue, logger }: SessionParts, action: keyof typeof saidOf, { request, requestId }: RequestContext, { type, id, name }: Omit<Actor, 'operator'>): Promise<void> {
  logger.info(saidOf[action], { key_id: id ?? undefined, remote_address: request.socket.remoteAddress, request_id: requestId });
  try {
    if (id !== null && !(await queue.fleet.withSessions((sessions) => sessions.takeAuditTurn(id, action)))) return;
    await queue.withAudit('fleet', (audit) => audit.record({ action, actor: { type, id, name, operator: null }, target: { type: 'key', id: id ?? '' }, reason: undefined, requestId, count: 1 }));
  } catch (error) {
    logger.warn('a sign-in or sign-out could not be added to the audit', { key_id: id ?? undefined, error: error instanceof Error ? error.message : String(error) });
  }
}
