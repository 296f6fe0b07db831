import { apiKey, newestVersion, type ApiKey } from './api-keys.js';

/** The one partition that a Produce request has messages for. */
export interface ProduceTarget {
  readonly topic: string;
  readonly partition: number;
}

/** A request that was written, and what its answer may speak of. */
export type Question =
  | {
      readonly kind: 'request';
      readonly key: ApiKey;
      readonly version: number;
      readonly correlationId: number;
      /** Of Produce; undefined: another number of partitions than one. */
      readonly target?: ProduceTarget | undefined;
      /** Of Metadata; undefined: another number of topics than one. */
      readonly topic?: string | undefined;
    }
  /** Part of a SASL exchange with a broker from before SaslAuthenticate (Kafka < 1.0): bare bytes behind their length. */
  | { readonly kind: 'token' };

const LENGTH_BYTES = 4;
/** Length, api key, version, correlation id. */
const REQUEST_HEAD_BYTES = 12;
/** Acks and timeout of Produce. */
const PRODUCE_SETTINGS_BYTES = 6;

/** @param request one whole request, as kafkajs writes it: length, key, version, correlation id, client id, body */
export function readQuestion(request: Buffer): Question {
  if (request.length < REQUEST_HEAD_BYTES || request.readInt32BE(0) !== request.length - LENGTH_BYTES) return { kind: 'token' };
  const key = request.readInt16BE(4);
  const version = request.readInt16BE(6);
  if (!isApiKey(key) || version < 0 || version > newestVersion[key]) return { kind: 'token' };
  const question = { kind: 'request', key, version, correlationId: request.readInt32BE(8) } as const;
  if (key === apiKey.produce) return { ...question, target: produceTarget(request) };
  if (key === apiKey.metadata) return { ...question, topic: askedTopic(request) };
  return question;
}

/** Produce from version 3 on: transactional id, acks, timeout, topics with their partitions. */
function produceTarget(request: Buffer): ProduceTarget | undefined {
  const topics = endOfText(request, endOfText(request, REQUEST_HEAD_BYTES)) + PRODUCE_SETTINGS_BYTES;
  if (countAt(request, topics) !== 1) return undefined;
  const partitions = endOfText(request, topics + 4);
  if (countAt(request, partitions) !== 1 || partitions + 8 > request.length) return undefined;
  return { topic: request.toString('utf8', topics + 6, partitions), partition: request.readInt32BE(partitions + 4) };
}

/** Metadata begins with the list of topics, in all versions. */
function askedTopic(request: Buffer): string | undefined {
  const topics = endOfText(request, REQUEST_HEAD_BYTES);
  if (countAt(request, topics) !== 1) return undefined;
  return request.toString('utf8', topics + 6, endOfText(request, topics + 4));
}

function countAt(request: Buffer, at: number): number {
  return at + 4 <= request.length ? request.readInt32BE(at) : -1;
}

/** @returns where the text that begins at `at` ends; a text of -1 bytes is null */
function endOfText(request: Buffer, at: number): number {
  return at + 2 <= request.length ? at + 2 + Math.max(request.readInt16BE(at), 0) : request.length;
}

function isApiKey(key: number): key is ApiKey {
  return key in newestVersion;
}
