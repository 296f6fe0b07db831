import type { Dispatcher } from 'undici';

import type { OAuth2Client } from '../../../../shared/domain/credentials/credential-values.js';
import type { EndSignal } from '../../../../shared/domain/ports.js';
import { classifyFailure } from '../classify-failure.js';
import type { ConnectionPools } from '../connection-pools.js';
import { exchange, isSuccess, type Exchange } from '../exchange.js';
import { parseTarget } from '../target.js';
import { USER_AGENT } from '../user-agent.js';
import { isOwnTrouble, type TokenFailure } from './token-record.js';

/** What a token server said. `lifeMs`: undefined where it does not say for how long the token is good. */
export type TokenAnswer = { readonly token: string; readonly lifeMs: number | undefined } | { readonly failure: TokenFailure };

const MAX_ANSWER_BYTES = 65_536;
/** Of OAuth 2 (RFC 6749, 5.2; RFC 8707). Another text could be a quotation of the request, so it is not repeated. */
const knownErrors: ReadonlySet<string> = new Set(['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_target', 'access_denied', 'server_error', 'temporarily_unavailable']);
/** What a header can carry (RFC 6750, 2.1, and what other servers send). */
const TOKEN = /^[\x21-\x7e]{1,32768}$/;

/**
 * Asks a token server for a token, over the same door as everything else that is sent, so that the address policy judges it.
 * @returns it always resolves. Of the answer nothing is kept but the token, or its error code
 */
export async function requestToken(pools: ConnectionPools, client: OAuth2Client, signal: EndSignal): Promise<TokenAnswer> {
  const target = parseTarget(client.token_url);
  const borrowed = pools.borrow(target.origin, undefined, 'new');
  let answer: Exchange;
  try {
    answer = await exchange(borrowed.connection, requestOf(client, target.path), signal, { keptBytes: MAX_ANSWER_BYTES, keepsSuccess: true });
  } finally {
    pools.giveBack(borrowed);
  }
  switch (answer.kind) {
    case 'aborted':
      return unavailable('did not answer in time');
    case 'broken': {
      const code = classifyFailure(answer.error);
      if (isOwnTrouble(code)) return { failure: { code, detail: `the token server could not be asked: ${code}` } };
      return code === 'address_forbidden' ? { failure: { code, detail: 'the address policy of this deployment forbids the token server' } } : unavailable(`could not be asked: ${code}`);
    }
    case 'answered':
      return isSuccess(answer.status) ? readToken(answer.bodyStart) : refused(answer.status, answer.bodyStart);
  }
}

function requestOf({ client_id: id, client_secret: secret, client_authentication: where, scope, audience }: OAuth2Client, path: string): Dispatcher.DispatchOptions {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }), ...(audience === undefined ? {} : { audience }), ...(where === 'body' ? { client_id: id, client_secret: secret } : {}) });
  const headers = ['Content-Type', 'application/x-www-form-urlencoded', 'Accept', 'application/json', 'User-Agent', USER_AGENT];
  // Both are form-encoded before they are joined (RFC 6749, 2.3.1).
  if (where === 'header') headers.push('Authorization', `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')}`);
  return { method: 'POST', path, headers, body: form.toString() };
}

export function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function readToken(body: Buffer): TokenAnswer {
  const { access_token: token, token_type: type, expires_in: seconds } = fieldsOf(body);
  if (typeof token !== 'string' || !TOKEN.test(token)) return unavailable('answered without a token that a header can carry');
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') return unavailable('gave a token that is no bearer token');
  const life = Number(seconds);
  return { token, lifeMs: seconds !== undefined && seconds !== null && life > 0 && Number.isFinite(life) ? life * 1_000 : undefined };
}

function refused(status: number, body: Buffer): TokenAnswer {
  const { error } = fieldsOf(body);
  const code = typeof error === 'string' && knownErrors.has(error) ? ` ${error}` : '';
  return status >= 400 && status <= 499 && status !== 429 ? { failure: { code: 'token_refused', detail: `the token server answered ${status}${code}` } } : unavailable(`answered ${status}${code}`);
}

function unavailable(what: string): TokenAnswer {
  return { failure: { code: 'token_unavailable', detail: `the token server ${what}` } };
}

function fieldsOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {}; // no JSON: the caller says what is missing
  }
}
