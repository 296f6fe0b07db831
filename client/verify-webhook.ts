import { createHmac, createPublicKey, timingSafeEqual, verify, type KeyObject } from 'node:crypto';

export interface WebhookVerifierOptions {
  /** How much older or newer than now a message may be, seconds. Default 300, as Standard Webhooks advises. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A message whose signature is right. */
export interface VerifiedWebhook {
  /** The same with each attempt of a message: note it when your work is done, and drop what comes again. */
  readonly id: string;
  /** When it was sent, ms since the epoch. */
  readonly sentAt: number;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>> | { get(name: string): string | null };
type IsSignedBy = (content: Buffer, signature: Buffer) => boolean;

const DEFAULT_TOLERANCE_SECONDS = 300;
/** An Ed25519 public key in DER without its 32 bytes (RFC 8410). */
const SPKI_START = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;
/** More signatures than these are not looked at. The service sends two at most. */
const MOST_SIGNATURES = 16;

/**
 * Verifies what the service signs by Standard Webhooks (docs/DELIVERY.md): v1 with a secret `whsec_...`, v1a with a public key
 * `whpk_...`. While a secret is being replaced a message has a signature of both, so give the old one, the new one, or both.
 */
export class WebhookVerifier {
  readonly #checks: readonly { readonly version: 'v1' | 'v1a'; readonly isSignedBy: IsSignedBy }[];

  /** @throws TypeError for what is neither `whsec_...` nor `whpk_...` */
  constructor(
    secrets: string | readonly string[],
    private readonly options: WebhookVerifierOptions = {},
  ) {
    this.#checks = [secrets].flat().map(checkBy);
  }

  /**
   * @param body    the bytes as they came, or the text of them: what a parser has made of it and a printer has written again is another one
   * @param headers of Node's `request`, or of a `Request`
   * @returns undefined unless a signature is right and its time is near now. It never throws
   */
  verify(body: string | Uint8Array, headers: Headers): VerifiedWebhook | undefined {
    const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headerOf(headers, name));
    if (id === undefined || id === '' || timestamp === undefined || signatures === undefined || !/^\d{1,12}$/.test(timestamp)) return undefined;
    const { toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, now = Date.now } = this.options;
    const sentAt = Number(timestamp) * 1_000;
    if (Math.abs(now() - sentAt) > toleranceSeconds * 1_000) return undefined;
    const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, 'utf8'), Buffer.from(body)]);
    const isRight = signatures.split(' ').slice(0, MOST_SIGNATURES).some((text) => this.#isRight(text, content));
    return isRight ? { id, sentAt } : undefined;
  }

  #isRight(text: string, content: Buffer): boolean {
    const comma = text.indexOf(',');
    const version = text.slice(0, comma);
    const base64 = text.slice(comma + 1);
    const signature = Buffer.from(base64, 'base64');
    // Buffer reads on behind the end of base64, and passes over what is none.
    if (signature.toString('base64') !== base64) return false;
    return this.#checks.some((check) => check.version === version && check.isSignedBy(content, signature));
  }
}

function checkBy(secret: string): { readonly version: 'v1' | 'v1a'; readonly isSignedBy: IsSignedBy } {
  const [, prefix, base64 = ''] = /^(whsec_|whpk_)([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (prefix === 'whsec_') return { version: 'v1', isSignedBy: (content, signature) => isHmac(bytes, content, signature) };
  if (prefix !== 'whpk_' || bytes.length !== KEY_BYTES) throw new TypeError('a secret must begin with whsec_, or a public key of 32 bytes with whpk_');
  const key: KeyObject = createPublicKey({ key: Buffer.concat([SPKI_START, bytes]), format: 'der', type: 'spki' });
  return { version: 'v1a', isSignedBy: (content, signature) => verify(null, content, key, signature) };
}

function isHmac(secret: Buffer, content: Buffer, signature: Buffer): boolean {
  const expected = createHmac('sha256', secret).update(content).digest();
  // timingSafeEqual throws where the lengths differ.
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

function headerOf(headers: Headers, name: string): string | undefined {
  const value = typeof headers.get === 'function' ? headers.get(name) : (headers as Readonly<Record<string, string | readonly string[] | undefined>>)[name];
  return typeof value === 'string' ? value : (value?.[0] ?? undefined);
}
