/** What a proxy can fail with. Their codes are read by classify-failure.ts. */

/** The proxy itself: it says nothing of the receiver. */
export class ProxyUnavailable extends Error {
  override readonly name = 'ProxyUnavailable';
  readonly code = 'ERR_PROXY_UNAVAILABLE';
}

/** The proxy has been asked, and makes no connection to the receiver. */
export class ProxyRefused extends Error {
  override readonly name = 'ProxyRefused';
  readonly code = 'ERR_PROXY_REFUSED';
}

/** The proxy still tries. */
export class ConnectTimedOut extends Error {
  override readonly name = 'ConnectTimedOut';
  readonly code = 'ETIMEDOUT';
}
