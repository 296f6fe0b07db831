import { randomBytes } from 'node:crypto';

import kafkajs from 'kafkajs';
import type { AuthenticationProviderArgs, Mechanism } from 'kafkajs';

import type { KafkaCredentials } from './cluster-identity.js';
import { LoginRefused } from './no-kafka-broker.js';
import { ScramExchange } from './scram-exchange.js';

const LENGTH_BYTES = 4;
const NONCE_BYTES = 24;

/**
 * How kafkajs logs in. It has authenticators of its own, but they make a refusal of the credentials of whatever goes wrong in
 * the exchange, a lost connection included, and keep only the text of it.
 */
export function toSasl(credentials: KafkaCredentials): Mechanism {
  return {
    mechanism: credentials.mechanism,
    authenticationProvider: ({ saslAuthenticate }) => ({ authenticate: () => logIn(credentials, (message) => exchange(saslAuthenticate, message)) }),
  };
}

/** @param ask sends one message of the exchange. @throws what classifyKafkaError knows */
async function logIn({ mechanism, username, password }: KafkaCredentials, ask: (message: string) => Promise<string>): Promise<void> {
  if (mechanism === 'plain') {
    await ask(`\0${username}\0${password}`);
    return;
  }
  const scram = new ScramExchange(mechanism, { username, password }, randomBytes(NONCE_BYTES).toString('base64url'));
  scram.verify(await ask(await scram.final(await ask(scram.first()))));
}

async function exchange(saslAuthenticate: AuthenticationProviderArgs['saslAuthenticate'], message: string): Promise<string> {
  try {
    const answer = await saslAuthenticate<string>({
      request: { encode: () => Promise.resolve(withLength(message)) },
      response: { decode: (bytes) => Promise.resolve(bytes.subarray(LENGTH_BYTES)), parse: (bytes) => bytes.toString() },
    });
    return typeof answer === 'string' ? answer : '';
  } catch (error) {
    throw isOldRefusal(error) ? new LoginRefused('it closed the connection') : error;
  }
}

/**
 * A broker from before SaslAuthenticate (Kafka < 1.0) has no answer for a refusal: it closes the connection. kafkajs has this
 * error for it, which has subclasses and an errno for all other ends of a connection.
 */
function isOldRefusal(error: unknown): boolean {
  return error instanceof kafkajs.KafkaJSConnectionError && error.constructor === kafkajs.KafkaJSConnectionError && (!('code' in error) || error.code === undefined);
}

function withLength(message: string): Buffer {
  const bytes = Buffer.from(message);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
