import { patchKafkajsDeadlines } from './kafkajs-deadlines.js';
import { nameKafkajsErrorCodes } from './kafkajs-error-codes.js';
import { stopKafkajsIdleLoop } from './kafkajs-idle-loop.js';
import { writeKafkajsRecords } from './kafkajs-records.js';
import { patchKafkajsRequestTimeouts } from './kafkajs-request-timeouts.js';
import { installedKafkajsVersion, KAFKAJS_VERSION } from './kafkajs-version.js';

/** What is patched in kafkajs, and whether it is in force. */
export interface KafkajsPatches {
  readonly idleLoop: boolean;
  readonly records: boolean;
  readonly errorCodes: boolean;
  readonly requestTimeouts: boolean;
  readonly deadlines: boolean;
}

/**
 * Puts our patches into kafkajs; called once more it only looks at them. The guard of broker-sockets.ts needs none: it
 * uses what kafkajs offers for that.
 * @returns what an operator should know, nothing where all is in force
 */
export function patchKafkajs(): readonly string[] {
  return kafkajsWarnings(installedKafkajsVersion(), {
    idleLoop: stopKafkajsIdleLoop(),
    records: writeKafkajsRecords(),
    errorCodes: nameKafkajsErrorCodes(),
    requestTimeouts: patchKafkajsRequestTimeouts(),
    deadlines: patchKafkajsDeadlines(),
  });
}

/** Tasks are sent without the patches too, only slower: so these are warnings and nothing ends. */
export function kafkajsWarnings(version: unknown, { idleLoop, records, errorCodes, requestTimeouts, deadlines }: KafkajsPatches): readonly string[] {
  const found = `kafkajs: expected ${KAFKAJS_VERSION}, found ${String(version)}`;
  return [
    ...(version === KAFKAJS_VERSION ? [] : [`${found}: how its errors are told apart was read in the expected one`]),
    ...(idleLoop ? [] : [`${found}: its idle loop is not stopped, so each connected topic costs 4.5 % of a core`]),
    ...(records ? [] : [`${found}: it writes records by itself, so a delivery to Kafka costs a quarter more`]),
    ...(errorCodes ? [] : [`${found}: errors of brokers that are newer than it have a number and no name`]),
    ...(requestTimeouts ? [] : [`${found}: its limits go by the time of day, so requests time out when the clock is set`]),
    ...(deadlines ? [] : [`${found}: it measures the wait that a broker asks for by the time of day, so it is longer or shorter when the clock is set`]),
  ];
}
