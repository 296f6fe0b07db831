import { readFile } from 'node:fs/promises';

/** From dist/server/ops and from server/ops alike, the folder above `server` or `dist` holds what is shipped beside the code. */
const ABOVE = ['../../', '../../../'];

/**
 * A file of the repository that is no code, such as `docs/openapi.yaml`.
 * @throws Error when it is missing, or cannot be read
 */
export async function readShippedFile(path: string): Promise<Buffer> {
  let failure: unknown;
  for (const above of ABOVE) {
    try {
      return await readFile(new URL(above + path, import.meta.url));
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`${path} is missing`, { cause: failure });
}
