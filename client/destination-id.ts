/**
 * The id of a destination, in place of its key in a path: proxies decode and merge slashes.
 * `https://api.example.com/orders` -> `~aHR0cHM6Ly9hcGkuZXhhbXBsZS5jb20vb3JkZXJz`. What begins with `~` is an id already.
 */
export function destinationId(key: string): string {
  if (key.startsWith('~')) return key;
  let binary = '';
  for (const byte of new TextEncoder().encode(key)) binary += String.fromCharCode(byte);
  return `~${btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}
