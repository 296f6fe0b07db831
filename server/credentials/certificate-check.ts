import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { CredentialValues } from '../../shared/domain/credentials/credential-values.js';

type ClientCertificate = CredentialValues['client_certificate'];

/** What is wrong with it, in words of ours: those of OpenSSL could quote it. undefined: nothing. */
export function complaintAboutCertificate({ certificate, key, ca }: ClientCertificate): string | undefined {
  if ((certificate === undefined) !== (key === undefined)) return 'must have certificate and key together';
  if (certificate === undefined && ca === undefined) return 'must have certificate and key, or ca, or all three';
  if (ca !== undefined && !areCertificates(ca)) return 'has a ca that cannot be read';
  if (certificate !== undefined && !areCertificates(certificate)) return 'has a certificate that cannot be read';
  if (key !== undefined && !isTaken({ key })) return 'has a key that cannot be read, or is protected by a password: write it without one';
  return isTaken({ ...(certificate === undefined ? {} : { cert: certificate }), ...(key === undefined ? {} : { key }) }) ? undefined : 'has a key that is not that of the certificate';
}

/** OpenSSL passes over what it cannot read among authorities, so each is read alone. */
function areCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block)).length > 0;
  } catch {
    return false; // as below
  }
}

function isTaken(options: Parameters<typeof createSecureContext>[0]): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false; // OpenSSL says what it is; the caller says it in other words
  }
}

/** What may be shown: a certificate is public, its key is not. */
export function shownCertificate({ certificate, ca }: ClientCertificate): object {
  const found = certificate === undefined ? undefined : new X509Certificate(certificate);
  return {
    subject: found?.subject.replaceAll('\n', ', ') ?? null,
    fingerprint: found?.fingerprint256 ?? null,
    expires_at: found === undefined ? null : new Date(found.validTo).toISOString(),
    has_ca: ca !== undefined,
  };
}
