import { readFileSync } from 'node:fs';
import { fileVariableOf } from './schema.js';

/** More is another file than was meant. */
const MOST_BYTES = 65_536;
const BYTE_ORDER_MARK = '\ufeff';

/**
 * A secret stands in its variable, or in the file that NAME_FILE names.
 * @param faults gets what is wrong; no secret is repeated
 */
export function readSecret(name: string, given: string | undefined, file: string | undefined, faults: string[]): string | undefined {
  if (file === undefined || file === '') return given;
  if (given !== undefined && given !== '') {
    faults.push(`${name}, ${fileVariableOf(name)}: set one of them, not both`);
    return undefined;
  }
  const { text, fault } = readSecretFile(file);
  if (fault !== undefined) faults.push(`${fileVariableOf(name)}=${JSON.stringify(file)}: ${fault}`);
  return text;
}

/**
 * Reads a secret. One line break at its end is cut, since editors add one; everything else belongs to the secret.
 * @returns the secret, or what is wrong with the file, for people; nothing of its contents is repeated
 */
function readSecretFile(path: string): { readonly text: string; readonly fault?: undefined } | { readonly text?: undefined; readonly fault: string } {
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
