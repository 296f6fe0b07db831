/** DESTINATION_PROXY, taken apart. */
export interface ProxyAddress {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** We speak TLS with the proxy itself. */
  readonly isSecure: boolean;
  /** `Basic ...`; undefined: it needs no login. */
  readonly authorization: string | undefined;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** @throws Error for what is no url of an HTTP proxy: SOCKS cannot be spoken here, and a path means that something else was meant */
export function parseProxyAddress(text: string): ProxyAddress {
  const url = new URL(text);
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined || (url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.hash !== '') throw new Error('no proxy');
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || defaultPort,
    isSecure: url.protocol === 'https:',
    authorization: login === ':' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
  };
}
