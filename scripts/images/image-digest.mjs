const LIMIT_MS = 15_000;
/** An index of all architectures, or the manifest of one. */
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
/** `ARG NODE_IMAGE=node:24.21.0-slim`, `image: redis:7`, `  image: redis:7.4`; one with a digest stands alone behind its tag. */
const IMAGE = /^(?:ARG \w+_IMAGE=|\s+image: )([a-z0-9][a-z0-9./-]*:[\w.-]+)(?:@sha256:[0-9a-f]{64})?$/gm;

/**
 * @param {string} text of a Dockerfile, a compose file or the chart's values
 * @returns {string[]} images with their tags, without digests, each once
 */
export function imagesIn(text) {
  return [...new Set([...text.matchAll(IMAGE)].map(([, image = '']) => image))];
}

/**
 * @param {string} text
 * @param {string} image
 * @param {string} digest
 */
export function withDigest(text, image, digest) {
  return text.replace(IMAGE, (line, found) => (found === image ? line.replace(/@sha256:[0-9a-f]+$/, '') + `@${digest}` : line));
}

/**
 * @param {string} image such as `redis:7` or `gcr.io/distroless/nodejs24-debian12:nonroot`
 * @param {(host: string) => string} [addressOf] the registry's address by its host
 * @returns {Promise<string>} `sha256:...`
 * @throws {Error} when the registry does not answer, or not with a digest
 */
export async function digestOf(image, addressOf = (host) => `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`) {
  const [, name = '', tag = ''] = /^(.+):([^:/]+)$/.exec(image) ?? [];
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && /[.:]/.test(first);
  const [host, repository] = isHost ? [first, rest.join('/')] : ['docker.io', name.includes('/') ? name : `library/${name}`];
  const url = `${addressOf(host)}/v2/${repository}/manifests/${tag}`;
  const answer = await ask(url);
  const response = answer.status === 401 ? await ask(url, await tokenFor(answer)) : answer;
  if (response.status !== 200) throw new Error(`${host} answered with ${response.status}`);
  const digest = response.headers.get('docker-content-digest') ?? '';
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`${host} sent no digest`);
  return digest;
}

/**
 * @param {string} url
 * @param {string} [token]
 */
function ask(url, token) {
  return fetch(url, { method: 'HEAD', headers: { accept: ACCEPT, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }, signal: AbortSignal.timeout(LIMIT_MS) });
}

/**
 * What a registry wants is said in its 401: `Bearer realm="https://auth.example/token",service="registry",scope="repository:library/redis:pull"`.
 * @param {Response} answer
 * @returns {Promise<string>}
 */
async function tokenFor(answer) {
  const said = new Map([...(answer.headers.get('www-authenticate') ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]));
  const realm = said.get('realm');
  if (realm === undefined) throw new Error('the registry wants a login that this script does not know');
  const url = new URL(realm);
  for (const key of ['service', 'scope']) url.searchParams.set(key, said.get(key) ?? '');
  const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
  const { token, access_token: accessToken } = await response.json();
  return token ?? accessToken;
}
