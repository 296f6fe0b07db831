import kafkajs from 'kafkajs';
import type { logCreator, logLevel } from 'kafkajs';

import { withoutTexts } from '../domain/destinations/without-secrets.js';

/** The log of kafkajs. It never contains message data, and nothing of a login. Every failure in it is also the result of a send. */
export interface KafkaLogEntry {
  readonly level: 'error' | 'warn';
  readonly message: string;
  /** Broker, client id and the like. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export type KafkaLog = (entry: KafkaLogEntry) => void;

/**
 * Hands kafkajs's warnings and errors to our log; without one it says nothing. It never writes to stdout itself.
 * @param secrets  what a broker may quote of our login
 */
export function toKafkajsLogging(log: KafkaLog | undefined, secrets: readonly string[]): { logLevel: logLevel; logCreator: logCreator } {
  return {
    logLevel: log === undefined ? kafkajs.logLevel.NOTHING : kafkajs.logLevel.WARN,
    logCreator: () => ({ level, log: { message, ...fields } }) => {
      // KAFKAJS_LOG_LEVEL in the environment overrides logLevel: look again.
      if (level > kafkajs.logLevel.WARN) return;
      log?.({ level: level === kafkajs.logLevel.ERROR ? 'error' : 'warn', message: withoutTexts(message, secrets), fields: secrets.length === 0 ? fields : withoutSecretFields(fields, secrets) });
    },
  };
}

function withoutSecretFields(fields: Readonly<Record<string, unknown>>, secrets: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? withoutTexts(value, secrets) : value]));
}
