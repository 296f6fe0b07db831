/** No id of a destination begins otherwise, and no other name of one in a path does. */
export const ID_MARK = '~';

/**
 * The key of a destination in a form that proxies leave as it is: they decode and merge slashes. Pure, for the page in the browser makes it too.
 * `https://a` -> `~aHR0cHM6Ly9h`
 */
export function idOfKey(key: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(key)) binary += String.fromCharCode(byte);
  return `${ID_MARK}${btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}
