import { readFileSync } from 'node:fs';

/** More is another file than was meant. */
const MOST_BYTES = 65_536;
const BYTE_ORDER_MARK = '\ufeff';

/**
 * Reads a secret. One line break at its end is cut, since editors add one; everything else belongs to the secret.
 * @returns the secret, or what is wrong with the file, for people; nothing of its contents is repeated
 */
export function readSecretFile(path: string): { readonly text: string; readonly fault?: undefined } | { readonly text?: undefined; readonly fault: string } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return { fault: `cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}` };
  }
  if (bytes.length > MOST_BYTES) return { fault: `is larger than ${MOST_BYTES} bytes` };
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) return { fault: 'is no text in UTF-8' };
  if (text.startsWith(BYTE_ORDER_MARK)) return { fault: 'begins with a byte order mark: save it without one' };
  const secret = text.replace(/\r?\n$/, '');
  return secret === '' ? { fault: 'is empty' } : { text: secret };
}
