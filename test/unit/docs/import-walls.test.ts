import { expect } from 'chai';
import { ESLint } from 'eslint';
import path from 'node:path';
import tseslint from 'typescript-eslint';

const root = path.resolve(import.meta.dirname, '../../..');

/** The house's own rules, without those that need types: files in this table need not exist. */
const eslint = new ESLint({
  cwd: root,
  overrideConfigFile: path.join(root, 'scripts/eslint.config.js'),
  overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked, languageOptions: { parserOptions: { project: null, program: null, projectService: false } } }],
});

const wallRules = new Set(['no-restricted-imports', 'no-restricted-syntax', 'no-restricted-properties', 'no-restricted-globals']);

async function complaints(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: path.join(root, file) });
  const messages = result?.messages ?? [];
  const fatal = messages.find((message) => message.fatal);
  if (fatal !== undefined) throw new Error(`${file}: ${fatal.message}`);
  return messages.filter(({ ruleId }) => ruleId !== null && wallRules.has(ruleId)).map(({ message }) => message);
}

/** File, what it must not say, and a part of the message that says where the code goes instead. */
const refused: readonly (readonly [file: string, code: string, instead: string])[] = [
  ['server/tasks/routes.ts', "import { Janitor } from '../../workers/janitor.js'; void Janitor;", 'belongs into shared/'],
  ['workers/janitor.ts', "import { createServer } from '../server/create-server.js'; void createServer;", 'belongs into shared/'],
  ['workers/adapters/http/exchange.ts', "import { createServer } from '../../../server/create-server.js'; void createServer;", 'belongs into shared/'],
  ['shared/queue/names.ts', "import { createServer } from '../../server/create-server.js'; void createServer;", 'one-way'],
  ['shared/queue/names.ts', "import { Janitor } from '../../workers/janitor.js'; void Janitor;", 'one-way'],
  ['shared/queue/names.ts', "import { eventually } from '../../test/support/eventually.js'; void eventually;", 'Nothing imports test'],
  ['scripts/generate-docs.ts', "import { eventually } from '../test/support/eventually.js'; void eventually;", 'Nothing imports test'],
  ['client/retry-client.ts', "import { jobIdOf } from '../shared/queue/names.js'; void jobIdOf;", 'the API alone'],
  ['client/cli/commands/tail-command.ts', "import { createServer } from '../../../server/create-server.js'; void createServer;", 'the API alone'],
  ['client/cli/run-command.ts', 'export const url = process.env;', 'take it from Surroundings'],
  ['server/tasks/routes.ts', "import { RetryClient } from '../../client/retry-client.js'; void RetryClient;", 'does not import its client'],
  ['shared/domain/task/outcome.ts', "import type { Logger } from '../../logging/logger.js'; export type A = Logger;", 'imports only itself'],
  ['shared/domain/task/outcome.ts', "import { setTimeout } from 'node:timers/promises'; void setTimeout;", 'is pure'],
  ['shared/domain/task/outcome.ts', "import { hash } from 'node:crypto'; void hash;", 'is pure'],
  ['shared/domain/destinations/path-mask.ts', "import { readFile } from 'node:fs/promises'; void readFile;", 'is pure'],
  ['shared/domain/task/outcome.ts', 'export const now = Date.now();', 'has no clock'],
  ['shared/domain/task/outcome.ts', 'export const now = new Date();', 'has no clock'],
  ['shared/domain/task/outcome.ts', 'export const number = Math.random();', 'Random in ports.ts'],
  ['shared/domain/task/outcome.ts', 'setTimeout(() => undefined, 1);', 'is pure'],
  ['shared/domain/task/outcome.ts', "import type { WireTask } from '../../wire/task.js'; export type A = WireTask;", 'imports only itself'],
  ['shared/wire/task.ts', "import type { TaskContent } from '../queue/tasks/task-codec.js'; export type A = TaskContent;", 'types of shared/domain'],
  ['shared/wire/task.ts', "import type { Logger } from 'winston'; export type A = Logger;", 'types of shared/domain'],
  ['shared/wire/task.ts', "import { taskStates } from '../domain/task/task.js'; void taskStates;", 'is types only'],
  ['shared/config/load.ts', "import type { Logger } from '../logging/logger.js'; export type A = Logger;", 'may import domain only'],
  ['shared/logging/logger.ts', "import { jobIdOf } from '../queue/names.js'; void jobIdOf;", 'only'],
  ['shared/lifecycle/shutdown.ts', "import { jobIdOf } from '../queue/names.js'; void jobIdOf;", 'domain and logging only'],
  ['shared/redis/redis-watch.ts', "import { jobIdOf } from '../queue/names.js'; void jobIdOf;", 'below shared/queue'],
  ['shared/kafka/cluster-identity.ts', "import { jobIdOf } from '../queue/names.js'; void jobIdOf;", 'not queues'],
  ['shared/queue/names.ts', "import { brokerSet } from '../kafka/cluster-identity.js'; void brokerSet;", "adapters' business"],
  ['shared/domain/task/outcome.ts', "import { jobIdOf } from '../../queue/names.js'; void jobIdOf;", 'imports only itself'],
  ['shared/queue/names.ts', "import express from 'express'; void express;", 'server/'],
  ['workers/janitor.ts', "import express from 'express'; void express;", 'server/'],
  ['server/http/request-pipeline.ts', "import express from 'express'; void express;", 'a row of server/route-table.ts'],
  ['server/create-server.ts', "import { Pool } from 'undici'; void Pool;", 'workers/adapters/http/'],
  ['workers/adapters/kafka/adapter.ts', "import { Pool } from 'undici'; void Pool;", 'workers/adapters/http/'],
  ['workers/adapters/http/exchange.ts', "import kafkajs from 'kafkajs'; void kafkajs;", 'shared/kafka/'],
  ['server/create-server.ts', "import { Redis } from 'ioredis'; void Redis;", 'redis-connection.ts'],
  ['shared/queue/tasks/task-queue.ts', "import type { Redis } from 'ioredis'; export type A = Redis;", 'redis-connection.ts'],
  ['server/tasks/routes.ts', "import type { Queue } from 'bullmq'; export type A = Queue;", 'TaskQueue'],
  ['workers/janitor.ts', "import { Worker } from 'bullmq'; void Worker;", 'delivery-worker.ts'],
  ['shared/queue/tasks/task-queue.ts', "import type { Queue } from 'bullmq'; export type A = Queue;", 'shared/queue/engine/'],
  ['shared/queue/flow/flow-store.ts', "import type { IRedisClient } from 'bullmq'; export type A = IRedisClient;", 'queue-client.ts'],
  ['shared/redis/transaction.ts', "import type { IRedisClient } from 'bullmq'; export type A = IRedisClient;", 'shared/queue/engine/'],
  ['shared/queue/engine/shard.ts', "import { cancelTask } from '../tasks/cancel-task.js'; void cancelTask;", 'below all other folders'],
  ['shared/queue/engine/shard.ts', "import { FlowStore } from '../flow/flow-store.js'; void FlowStore;", 'below all other folders'],
  ['shared/queue/engine/shard.ts', "import { packFailureFields } from '../search/failure-fields.js'; void packFailureFields;", 'below all other folders'],
  ['shared/queue/engine/shard.ts', "import { thing } from '../a-folder-to-come/thing.js'; void thing;", 'below all other folders'],
  ['shared/queue/tasks/retry-now.ts', "import type { Shard } from '../engine/shard.js'; export const backend = (shard: Shard): unknown => shard.queue.getBackend();", 'where it is checked at start'],
  ['workers/delivery/settle-outcome.ts', "import type { Worker } from 'bullmq'; export const key = ({ toKey }: Worker): string => toKey('wait');", 'where it is checked at start'],
  ['server/create-server.ts', "import { createBullBoard } from '@bull-board/api'; void createBullBoard;", 'bull-board.ts'],
  ['server/create-server.ts', "import { ExpressAdapter } from '@bull-board/express'; void ExpressAdapter;", 'bull-board.ts'],
  ['server/create-server.ts', "import Joi from 'joi'; void Joi;", 'schema.ts'],
  ['workers/main.ts', "import winston from 'winston'; void winston;", 'take a Logger'],
  ['workers/main.ts', "import { register } from 'prom-client'; void register;", 'take a Metrics'],
  ['shared/telemetry/series.ts', "import type { Counter } from 'prom-client'; export type A = Counter;", 'take a Metrics'],
  ['shared/telemetry/metrics.ts', "import { jobIdOf } from '../queue/names.js'; void jobIdOf;", 'domain only'],
  ['shared/domain/task/outcome.ts', "import { Distribution } from '../../telemetry/series.js'; void Distribution;", 'imports only itself'],
  ['server/main.ts', "export const port = process.env['HTTP_PORT'];", 'shared/config/load.ts'],
  ['server/main.ts', "import { env } from 'node:process'; void env;", 'shared/config/schema.ts'],
  ['server/main.ts', "const { env } = process; void env;", 'shared/config/load.ts'],
  ['server/create-server.ts', 'export default 1;', 'Named exports only'],
  ['server/create-server.ts', 'const a = 1; export { a as default };', 'Named exports only'],
  ['shared/domain/index.ts', "export * from './task/task.js';", 'No barrel files'],
  ['shared/domain/index.ts', "export { taskStates } from './task.js';", 'No barrel files'],
  ['workers/main.ts', "void import('../server/create-server.js');", 'Import statically'],
  ['scripts/launch/launch.mjs', "import chalk from 'chalk'; void chalk;", 'only node: modules'],
  ['examples/receiver.mjs', "import express from 'express'; void express;", 'only node: modules'],
];

const allowed: readonly (readonly [file: string, code: string])[] = [
  ['server/tasks/routes.ts', "import { jobIdOf } from '../../shared/queue/names.js'; void jobIdOf;"],
  ['client/retry-client.ts', "import type { WireTask } from '../shared/wire/task.js'; export type A = WireTask;"],
  ['workers/adapters/http/exchange.ts', "import { Pool } from 'undici'; void Pool;"],
  ['shared/kafka/topic-connection.ts', "import kafkajs from 'kafkajs'; void kafkajs;"],
  ['shared/telemetry/metrics.ts', "import { Counter } from 'prom-client'; void Counter;"],
  ['shared/redis/redis-connection.ts', "import { Cluster } from 'ioredis'; void Cluster;"],
  ['workers/delivery/settle-outcome.ts', "import { Job } from 'bullmq'; void Job;"],
  ['shared/queue/engine/shard.ts', "import { Queue } from 'bullmq'; export const key = ({ toKey }: Queue): string => toKey('wait');"],
  ['shared/queue/engine/shard.ts', "import { jobIdOf } from '../names.js'; import { isCluster } from '../../redis/redis-connection.js'; void jobIdOf; void isCluster;"],
  ['shared/queue/engine/shard.ts', "import type { RequestError } from '../../domain/errors.js'; export type A = RequestError;"],
  ['shared/lifecycle/shutdown.ts', "import type { Logger } from '../logging/logger.js'; export type A = Logger;"],
  ['shared/wire/task.ts', "import type { TaskState } from '../domain/task/task.js'; import type { WireError } from './error.js'; export type A = TaskState | WireError;"],
  ['shared/config/load.ts', "export const port = process.env['HTTP_PORT'];"],
  ['test/unit/a.test.ts', "import { Janitor } from '../../workers/janitor.js'; import { Queue } from 'bullmq'; void Janitor; void Queue;"],
];

describe('the import walls of scripts/eslint.config.js', () => {
  for (const [file, code, instead] of refused) {
    it(`refuse, in ${file}: ${code}`, async () => {
      const said = await complaints(file, code);
      expect(said.join('\n')).to.include(instead);
    });
  }

  for (const [file, code] of allowed) {
    it(`let pass, in ${file}: ${code}`, async () => {
      expect(await complaints(file, code)).to.deep.equal([]);
    });
  }
});
