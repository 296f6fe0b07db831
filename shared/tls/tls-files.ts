import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Paths of PEM files; all may be missing. `cert` and `key` belong together. */
export interface TlsFiles {
  /** Authorities that are trusted instead of those that Node knows. */
  readonly ca?: string | undefined;
  /** Our certificate, and those between it and its authority. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export type TlsFileRole = keyof TlsFiles;

/** What stands in the files. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface TlsFileFault {
  readonly role: TlsFileRole;
  /** For people, about the file: `cannot be read: ENOENT`. Nothing of a key is repeated. */
  readonly text: string;
  /** The files are sound, and the other side will refuse them. */
  readonly isExpiry?: true;
}

/** A CA bundle of an operating system has some 200 KiB. */
const MOST_BYTES = 4 * 1_048_576;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the files, and finds what would make every connection fail.
 * @param now ms since the epoch
 */
export function readTlsFiles(files: TlsFiles, now: number): { readonly material: TlsMaterial; readonly faults: readonly TlsFileFault[] } {
  const faults: TlsFileFault[] = [];
  const read = (role: TlsFileRole): string | undefined => {
    const path = files[role];
    if (path === undefined) return undefined;
    try {
      const bytes = readFileSync(path);
      if (bytes.length <= MOST_BYTES) return bytes.toString();
      faults.push({ role, text: `is larger than ${MOST_BYTES} bytes` });
    } catch (error) {
      faults.push({ role, text: `cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}` });
    }
    return undefined;
  };
  const [ca, cert, key] = [read('ca'), read('cert'), read('key')];
  if (ca !== undefined) certificatesIn(ca, 'ca', faults);
  const [own] = cert === undefined ? [] : certificatesIn(cert, 'cert', faults);
  const privateKey = key === undefined ? undefined : privateKeyIn(key, faults);
  if (own !== undefined && Date.parse(own.validTo) < now) faults.push({ role: 'cert', text: `has expired on ${own.validTo}`, isExpiry: true });
  if (own !== undefined && privateKey !== undefined && !own.checkPrivateKey(privateKey)) faults.push({ role: 'key', text: 'is not the key of the certificate' });
  return { material: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) }, faults };
}

function certificatesIn(text: string, role: TlsFileRole, faults: TlsFileFault[]): X509Certificate[] {
  try {
    const found = (text.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length === 0) faults.push({ role, text: 'holds no certificate in PEM (-----BEGIN CERTIFICATE-----)' });
    return found;
  } catch {
    // The error of OpenSSL names none of its certificates.
    faults.push({ role, text: 'holds a certificate that cannot be read' });
    return [];
  }
}

function privateKeyIn(text: string, faults: TlsFileFault[]): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    // Its message may repeat parts of the text.
    faults.push({ role: 'key', text: /ENCRYPTED/.test(text) ? 'is encrypted: only a key without a passphrase is taken' : 'holds no private key in PEM' });
    return undefined;
  }
}
