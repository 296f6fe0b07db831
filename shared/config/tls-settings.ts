import { readTlsFiles, type TlsFiles } from '../tls/tls-files.js';

/**
 * The files of TLS, if a connection can be made with them. Files without TLS are a mistake: what was meant to be encrypted would be
 * sent in clear.
 * @param of     begins the names of the variables
 * @param faults gets what is wrong
 */
export function checkedTlsFiles(of: 'REDIS' | 'KAFKA', files: TlsFiles, isOn: boolean, faults: string[]): TlsFiles {
  const nameOf = { ca: `${of}_TLS_CA_FILE`, cert: `${of}_TLS_CERT_FILE`, key: `${of}_TLS_KEY_FILE` } as const;
  const given = (['ca', 'cert', 'key'] as const).filter((role) => files[role] !== undefined).map((role) => nameOf[role]);
  if (!isOn && given.length > 0) faults.push(`${given.join(', ')}: ${given.length === 1 ? 'is' : 'are'} set, and ${of}_TLS is not true`);
  if ((files.cert === undefined) !== (files.key === undefined)) faults.push(`${nameOf.cert}, ${nameOf.key}: set both, or none`);
  for (const { role, text } of readTlsFiles(files, Date.now()).faults) faults.push(`${nameOf[role]}=${JSON.stringify(files[role])}: ${text}`);
  return files;
}
