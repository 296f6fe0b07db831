import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { fixedScripts } from '../../shared/queue/tasks/own-scripts.js';

/** Names of the Lua scripts by the SHA-1 under which Redis knows them: BullMQ's and ours. */
export function scriptNames(): ReadonlyMap<string, string> {
  const ours = Object.entries(fixedScripts).map(([name, { lua }]) => [sha1(lua), name] as const);
  // By its path, since bullmq does not export them; the shape is that of 6.7.
  const file = fileURLToPath(new URL('../../node_modules/bullmq/dist/cjs/scripts/index.js', import.meta.url));
  const scripts = createRequire(import.meta.url)(file) as Readonly<Record<string, { readonly name: string; readonly content: string }>>;
  const bullmqs = Object.values(scripts).map(({ name, content }) => [sha1(content), `bullmq ${name}`] as const);
  return new Map([...ours, ...bullmqs]);
}

function sha1(lua: string): string {
  return createHash('sha1').update(lua).digest('hex');
}
