import { createHash, createHmac, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';

/*
 * Signatures of Standard Webhooks (https://www.standardwebhooks.com): v1 is HMAC-SHA256 with a shared secret (`whsec_`), v1a is Ed25519
 * with a private key (`whsk_`), whose public key (`whpk_`) receivers know.
 */

export const signingAlgorithms = ['v1', 'v1a'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

const PREFIX = { v1: 'whsec_', v1a: 'whsk_' } as const;
const PUBLIC_PREFIX = 'whpk_';
const HMAC_BYTES = 32;
/** What Standard Webhooks asks of a secret. */
const [FEWEST_HMAC_BYTES, MOST_HMAC_BYTES] = [24, 64];
const SEED_BYTES = 32;

/** One secret that signs. */
export interface Signer {
  readonly algorithm: SigningAlgorithm;
  /** `whpk_...` of v1a; null for v1. */
  readonly publicKey: string | null;
  /** @param content `<webhook-id>.<webhook-timestamp>.<body>` @returns such as `v1,<base64>` */
  sign(content: string): string;
}

/** @param randomBytes fills a new buffer */
export function newSigningSecret(algorithm: SigningAlgorithm, randomBytes: (count: number) => Buffer): string {
  if (algorithm === 'v1') return PREFIX.v1 + randomBytes(HMAC_BYTES).toString('base64');
  const seed = randomBytes(SEED_BYTES);
  return PREFIX.v1a + Buffer.concat([seed, publicBytes(privateKeyOf(seed))]).toString('base64');
}

/** @returns undefined for a text that is no secret of either algorithm */
export function signerOf(secret: string): Signer | undefined {
  const [, prefix = '', base64 = ''] = /^(whsec_|whsk_)([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (prefix === PREFIX.v1) {
    if (bytes.length < FEWEST_HMAC_BYTES || bytes.length > MOST_HMAC_BYTES) return undefined;
    return { algorithm: 'v1', publicKey: null, sign: (content) => `v1,${createHmac('sha256', bytes).update(content, 'utf8').digest('base64')}` };
  }
  // A seed alone, or with its public key behind it, as other tools write it.
  if (prefix !== PREFIX.v1a || (bytes.length !== SEED_BYTES && bytes.length !== 2 * SEED_BYTES)) return undefined;
  const key = privateKeyOf(bytes.subarray(0, SEED_BYTES));
  const known = publicBytes(key);
  if (bytes.length > SEED_BYTES && !known.equals(bytes.subarray(SEED_BYTES))) return undefined;
  return { algorithm: 'v1a', publicKey: PUBLIC_PREFIX + known.toString('base64'), sign: (content) => `v1a,${sign(null, Buffer.from(content, 'utf8'), key).toString('base64')}` };
}

/** What makes one message: receivers that drop duplicates see the same id with each attempt of it. */
export interface MessageIdentity {
  readonly taskId: string;
  readonly run: number;
  readonly edit: number;
  readonly phase: string;
}

/** `msg_` and 32 hex digits. */
export function webhookIdOf({ taskId, run, edit, phase }: MessageIdentity): string {
  return `msg_${createHash('sha256').update(JSON.stringify([taskId, run, edit, phase]), 'utf8').digest('hex').slice(0, 32)}`;
}

/**
 * The three headers of a signed message, as names and values in turn.
 * @param signers the newest first
 * @param nowMs   of this send, ms since the epoch
 */
export function signatureHeaders(signers: readonly Signer[], message: MessageIdentity, body: string, nowMs: number): readonly string[] {
  const [id, timestamp] = [webhookIdOf(message), String(Math.floor(nowMs / 1_000))];
  const content = `${id}.${timestamp}.${body}`;
  return ['webhook-id', id, 'webhook-timestamp', timestamp, 'webhook-signature', signers.map((signer) => signer.sign(content)).join(' ')];
}

/** PKCS #8 around a seed (RFC 8410, 7). */
const PKCS8_START = Buffer.from('302e020100300506032b657004220420', 'hex');

function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_START, seed]), format: 'der', type: 'pkcs8' });
}

function publicBytes(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-SEED_BYTES);
}
