import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ellipticKey = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/** A certificate and its key: paths of PEM files. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
  /** Both in one file, as Kafka takes them. */
  readonly both: string;
}

export interface CertificateRequest {
  readonly commonName?: string;
  /** In the form of OpenSSL: `IP:127.0.0.1`, `DNS:localhost`. */
  readonly names?: readonly string[];
  readonly hasExpired?: boolean;
}

/** A certificate authority of a test's own. Its files are removed by `close`. */
export class TestAuthority {
  #issued = 0;

  private constructor(
    private readonly folder: string,
    /** The path of its certificate. */
    readonly ca: string,
  ) {}

  /** @param name two of the same name are one that was made anew */
  static async create(name = 'Authority of a test'): Promise<TestAuthority> {
    const folder = await mkdtemp(path.join(tmpdir(), 'ca-test-'));
    const authority = new TestAuthority(folder, path.join(folder, 'ca.pem'));
    await run('openssl', ['req', '-x509', ...ellipticKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', authority.#at('ca.key'), '-out', authority.ca]);
    return authority;
  }

  /** The default is for 127.0.0.1 and localhost, and good for a day. */
  async issue({ commonName = 'test', names = ['IP:127.0.0.1', 'DNS:localhost'], hasExpired = false }: CertificateRequest = {}): Promise<IssuedCertificate> {
    this.#issued += 1;
    const name = String(this.#issued);
    const [key, csr, cert, both] = [this.#at(`${name}.key`), this.#at(`${name}.csr`), this.#at(`${name}.pem`), this.#at(`${name}.both.pem`)];
    const altNames = names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`];
    await run('openssl', ['req', '-new', ...ellipticKey, '-subj', `/CN=${commonName}`, ...altNames, '-keyout', key, '-out', csr]);
    await run('openssl', ['x509', '-req', '-in', csr, '-CA', this.ca, '-CAkey', this.#at('ca.key'), '-copy_extensions', 'copy', '-days', hasExpired ? '-1' : '1', '-out', cert]);
    await writeFile(both, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
    return { cert, key, both };
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #at(file: string): string {
    return path.join(this.folder, file);
  }
}
