import { readFile } from 'node:fs/promises';
import { Router } from 'express';

/** From dist/server/ops and from server/ops alike, the folder above `server` or `dist` holds docs/. */
const candidates = ['../../docs/openapi.yaml', '../../../docs/openapi.yaml'];

/** The contract as a file. */
export function apiDocs(): Router {
  const router = Router();
  let text: string | undefined;
  router.get('/openapi.yaml', async (_request, response) => {
    text ??= await readFirst(candidates);
    response.type('application/yaml').send(text);
  });
  return router;
}

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
