import { readFile } from 'node:fs/promises';
import { textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';

/** From dist/server/ops and from server/ops alike, the folder above `server` or `dist` holds docs/. */
const candidates = ['../../docs/openapi.yaml', '../../../docs/openapi.yaml'];

/** It is read once: a thousand requests for it in one go would open a thousand files. */
let contract: Promise<string> | undefined;

/** The contract as a file. */
export const contractRoute: Route<unknown> = {
  method: 'GET',
  path: '/openapi.yaml',
  role: 'none',
  body: 'none',
  query: [],
  operationId: 'contract',
  metricLabel: '/openapi.yaml',
  handle: async () => {
    try {
      return textAnswer(200, 'application/yaml; charset=utf-8', await (contract ??= readFirst(candidates)));
    } catch (error) {
      contract = undefined;
      throw error;
    }
  },
};

async function readFirst(paths: readonly string[]): Promise<string> {
  let failure: unknown;
  for (const path of paths) {
    try {
      return await readFile(new URL(path, import.meta.url), 'utf8');
    } catch (error) {
      failure = error;
    }
  }
  throw new Error('docs/openapi.yaml is missing', { cause: failure });
}
