import { parse } from 'es-module-lexer';
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readShippedFile } from '../ops/shipped-file.js';

/** Where server/ is; compiled code is in dist when the service itself runs from its sources, as in tests. */
const ABOVE = path.resolve(import.meta.dirname, '../..');
const COMPILED = path.basename(ABOVE) === 'dist' ? ABOVE : path.join(ABOVE, 'dist');
const ENTRY = 'server/admin-page/app.js';
const OWN_STYLE = 'server/admin-page/page.css';
const CHART_STYLE = 'vendor/uPlot.min.css';
/** Libraries of the page, by the name that its code imports. A browser knows no such names. */
const LIBRARIES: ReadonlyMap<string, string> = new Map(['preact', 'preact/hooks', '@preact/signals', '@preact/signals-core', 'htm', 'uplot'].map((name) => [name, `vendor/${name.replace('/', '-').replace('@', '')}.js`]));

const STYLE_TYPE = 'text/css; charset=utf-8';

export interface PageFile {
  /** `text/javascript; charset=utf-8` */
  readonly type: string;
  readonly bytes: Buffer;
}

export interface PageFiles {
  /** It changes with any byte of any file. */
  readonly version: string;
  /** By the path below the version: `server/admin-page/app.js`. Nothing else of the code can be asked for. */
  readonly byPath: ReadonlyMap<string, PageFile>;
  readonly scripts: readonly string[];
}

/**
 * The code of the page, and all that it imports, as a browser can load it: modules of the service keep their places, those of
 * libraries lie in `vendor/`.
 * @throws Error when a file is missing
 */
export async function readPageFiles(): Promise<PageFiles> {
  const byPath = new Map<string, PageFile>();
  const waiting = [ENTRY];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (byPath.has(name)) continue;
    const source = await readFile(sourceOf(name), 'utf8');
    const folder = path.posix.dirname(name);
    const [imports] = parse(source);
    let text = source;
    // From the last one on, so that the places of the others stay.
    for (const { specifier: asked, start, end, type } of [...imports].reverse()) {
      if (type === 'import-meta') continue;
      const found = asked === undefined ? undefined : LIBRARIES.get(asked) ?? (asked.startsWith('.') ? path.posix.join(folder, asked) : undefined);
      if (found === undefined) throw new Error(`${name} imports ${asked ?? 'what it reckons'}, which is no library of the page`);
      waiting.push(found);
      text = text.slice(0, start) + relative(folder, found) + text.slice(end);
    }
    byPath.set(name, { type: 'text/javascript; charset=utf-8', bytes: Buffer.from(text.replace(/\n\/\/# sourceMappingURL=.*/g, '')) });
  }
  const scripts = [...byPath.keys()].sort();
  byPath.set(OWN_STYLE, { type: STYLE_TYPE, bytes: await readShippedFile(OWN_STYLE) });
  byPath.set(CHART_STYLE, { type: STYLE_TYPE, bytes: await readFile(path.join(chartFolder(), 'uPlot.min.css')) });
  const contents = [...byPath].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { bytes }]) => `${name}\0${bytes.toString('latin1')}\0`);
  return { version: hash('sha256', contents.join(''), 'hex').slice(0, 16), byPath, scripts };
}

function relative(folder: string, target: string): string {
  const found = path.posix.relative(folder, target);
  return found.startsWith('.') ? found : `./${found}`;
}

function sourceOf(name: string): string {
  // The package names its CommonJS file for Node.
  if (name === LIBRARIES.get('uplot')) return path.join(chartFolder(), 'uPlot.esm.js');
  for (const [library, place] of LIBRARIES) if (place === name) return fileURLToPath(import.meta.resolve(library));
  return path.join(COMPILED, name);
}

const chartFolder = (): string => path.dirname(fileURLToPath(import.meta.resolve('uplot')));
