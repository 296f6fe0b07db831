import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

import type { KafkaCredentials } from './cluster-identity.js';
import { LoginRefused, NoKafkaBroker, ServerNotProven } from './no-kafka-broker.js';

const derive = promisify(pbkdf2);

/** Names and bytes of the hashes. */
const digests = { 'scram-sha-256': { name: 'sha256', bytes: 32 }, 'scram-sha-512': { name: 'sha512', bytes: 64 } } as const;
export type ScramMechanism = keyof typeof digests;

/** Fewer rounds are no protection of the password (RFC 7677, 4). Kafka takes no fewer. */
const LEAST_ROUNDS = 4_096;
/** Kafka takes no more than 16,384. The hashing runs in one of four threads that look-ups of names need as well: 0.2 s for these. */
const MOST_ROUNDS = 200_000;

/** No channel binding, no other identity. */
const GS2_HEADER = 'n,,';
const HEADER_IN_BASE64 = Buffer.from(GS2_HEADER).toString('base64');
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Printable ASCII without the comma. */
const NONCE = /^[\x21-\x2b\x2d-\x7e]+$/;

interface ServerFirst {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly rounds: number;
}

/**
 * Our side of one login by SCRAM (RFC 5802, RFC 7677). kafkajs has one, which takes whatever a broker sends: 2^31 rounds, no
 * salt, two numbers of rounds, and it calls every fault of the broker a refusal of the credentials.
 *
 * A message that breaks the protocol is a fault of the other side (NoKafkaBroker). A signature that is wrong has an error of its
 * own (ServerNotProven): the other side does not know the password. Only `e=...` is a refusal (LoginRefused).
 */
export class ScramExchange {
  readonly #digest: (typeof digests)[ScramMechanism];
  readonly #bareFirst: string;
  #serverSignature: Buffer | undefined;

  /** @param nonce random, printable ASCII without commas */
  constructor(
    mechanism: ScramMechanism,
    private readonly credentials: Pick<KafkaCredentials, 'username' | 'password'>,
    private readonly nonce: string,
  ) {
    this.#digest = digests[mechanism];
    this.#bareFirst = `n=${credentials.username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  /** The first message to the broker. */
  first(): string {
    return GS2_HEADER + this.#bareFirst;
  }

  /**
   * The second message to the broker, with the proof that we know the password.
   * @param serverFirst what the broker has answered to the first one, such as `r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096`
   * @throws NoKafkaBroker, LoginRefused
   */
  async final(serverFirst: string): Promise<string> {
    const { nonce, salt, rounds } = this.#readFirst(serverFirst);
    const salted = await derive(this.credentials.password, salt, rounds, this.#digest.bytes, this.#digest.name);
    const withoutProof = `c=${HEADER_IN_BASE64},r=${nonce}`;
    const signed = `${this.#bareFirst},${serverFirst},${withoutProof}`;
    const clientKey = this.#sign(salted, 'Client Key');
    const storedKey = createHash(this.#digest.name).update(clientKey).digest();
    const signature = this.#sign(storedKey, signed);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    this.#serverSignature = this.#sign(this.#sign(salted, 'Server Key'), signed);
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
  }

  /**
   * Ends the login.
   * @param serverFinal what the broker has answered to the second message, such as `v=rmF9pqV8S7suAoZWja4dJRkFsKQ=`
   * @throws NoKafkaBroker, LoginRefused, ServerNotProven
   */
  verify(serverFinal: string): void {
    const [first = ''] = attributesOf(serverFinal);
    const signature = fromBase64(first, 'v');
    if (signature?.length !== this.#digest.bytes) throw new NoKafkaBroker('its last message of SCRAM has no signature');
    if (this.#serverSignature === undefined || !timingSafeEqual(signature, this.#serverSignature)) throw new ServerNotProven();
  }

  #readFirst(text: string): ServerFirst {
    const [nonceText = '', saltText = '', roundsText = ''] = attributesOf(text);
    if (nonceText.startsWith('m=')) throw new NoKafkaBroker('it asks for an extension of SCRAM');
    const nonce = nonceText.slice(2);
    if (!nonceText.startsWith('r=') || !NONCE.test(nonce) || !nonce.startsWith(this.nonce) || nonce.length === this.nonce.length) {
      throw new NoKafkaBroker('its nonce of SCRAM does not go on from ours');
    }
    const salt = fromBase64(saltText, 's');
    if (salt === undefined || salt.length === 0) throw new NoKafkaBroker('its first message of SCRAM has no salt');
    if (!/^i=[1-9][0-9]*$/.test(roundsText)) throw new NoKafkaBroker('its first message of SCRAM has no number of rounds');
    const rounds = Number(roundsText.slice(2));
    if (rounds < LEAST_ROUNDS || rounds > MOST_ROUNDS) throw new NoKafkaBroker(`it asks for ${roundsText.slice(2, 22)} rounds of hashing, and ${LEAST_ROUNDS} to ${MOST_ROUNDS} are taken`);
    return { nonce, salt, rounds };
  }

  #sign(key: Buffer, text: string): Buffer {
    return createHmac(this.#digest.name, key).update(text).digest();
  }
}

/** @throws LoginRefused, NoKafkaBroker */
function attributesOf(text: string): string[] {
  const attributes = text.split(',');
  if (text.startsWith('e=')) throw new LoginRefused((attributes[0] ?? '').slice(2));
  if (!attributes.every((attribute) => /^[A-Za-z]=/.test(attribute))) throw new NoKafkaBroker('a message of SCRAM has parts that are none');
  return attributes;
}

/** @returns undefined: it is not that attribute, or no base64 */
function fromBase64(attribute: string, name: string): Buffer | undefined {
  if (!attribute.startsWith(`${name}=`) || !BASE64.test(attribute.slice(2))) return undefined;
  return Buffer.from(attribute.slice(2), 'base64');
}
