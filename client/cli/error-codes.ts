import { didYouMeanWord } from './nearest-word.js';

/** Codes of failed sends, for the completion and for the hint below. A test compares them with those of the service: the client takes nothing of the service. */
export const errorCodes: readonly string[] = [
  'http_redirect', 'http_client_error', 'http_server_error', 'http_busy', 'http_unexpected_status', 'response_invalid', 'timed_out',
  'connection_refused', 'connection_reset', 'connect_timed_out', 'host_not_found', 'host_unreachable', 'tls_failed', 'tls_untrusted', 'tls_expired',
  'tls_wrong_name', 'tls_client_refused', 'tls_not_spoken', 'tls_required', 'broker_unreachable', 'broker_timed_out', 'broker_unavailable',
  'broker_throttled', 'broker_rejected', 'broker_authentication_failed', 'broker_login_unsupported', 'cluster_authorization_denied', 'topic_unknown',
  'topic_invalid', 'message_too_large', 'authorization_denied', 'token_refused', 'token_unavailable', 'proxy_refused', 'address_forbidden',
  'worker_crashed', 'shutting_down', 'data_unreadable', 'credentials_unreadable', 'internal', 'local_resources', 'proxy_unavailable',
  'redis_unavailable', 'unknown',
];

/**
 * What to say of `--error-code http_clent_error`, which would find nothing. It is no refusal: a newer service may know more codes.
 * @param value as it was typed; more than one code, or a pattern, is not looked at
 */
export function doubtAboutErrorCode(value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^\w+$/.test(value) || errorCodes.includes(value)) return undefined;
  return `no send fails with the code ${value}, as far as this command knows${didYouMeanWord(value, errorCodes)}`;
}
