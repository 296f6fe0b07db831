import { jsonTextAnswer, textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { contractAsJson } from './contract-json.js';
import { readOnce } from './read-once.js';
import { readShippedFile } from './shipped-file.js';

const yaml = readOnce(async () => (await readShippedFile('docs/openapi.yaml')).toString());
const json = readOnce(async () => contractAsJson(await yaml()));

/** The contract as a file. */
export const contractRoutes: readonly Route<unknown>[] = [
  {
    method: 'GET',
    path: '/openapi.yaml',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'contract',
    metricLabel: '/openapi.yaml',
    handle: async () => textAnswer(200, 'application/yaml; charset=utf-8', await yaml()),
  },
  {
    method: 'GET',
    path: '/openapi.json',
    role: 'none',
    body: 'none',
    query: [],
    operationId: 'contractAsJson',
    metricLabel: '/openapi.json',
    handle: async () => jsonTextAnswer(200, await json()),
  },
];
