import { percentDecoded } from './percent-decoded.js';

/** User and password of a url as a request's `Authorization: Basic` has them, in base64: `user:p%40ss` -> `dXNlcjpwQHNz`. */
export function basicCredentials({ username, password }: Pick<URL, 'username' | 'password'>): string {
  return Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`, 'utf8').toString('base64');
}
