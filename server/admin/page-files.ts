import { parse } from 'es-module-lexer';
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readShippedFile } from '../ops/shipped-file.js';

/** Where server/ is; compiled code is in dist when the service itself runs from its sources, as in tests. */
const ABOVE = path.resolve(import.meta.dirname, '../..');
const COMPILED = path.basename(ABOVE) === 'dist' ? ABOVE : path.join(ABOVE, 'dist');
const ENTRY = 'server/admin-page/app.js';
const OWN_STYLE = 'server/admin-page/page.css';
/** Libraries of the page, by the name that its code imports: a browser knows no such names. Each is one file. */
const LIBRARIES: ReadonlyMap<string, string> = new Map([
  ['preact', 'node_modules/preact/dist/preact.mjs'],
  ['preact/hooks', 'node_modules/preact/hooks/dist/hooks.mjs'],
  ['@preact/signals', 'node_modules/@preact/signals/dist/signals.mjs'],
  ['@preact/signals-core', 'node_modules/@preact/signals-core/dist/signals-core.mjs'],
  ['htm', 'node_modules/htm/dist/htm.mjs'],
  ['uplot', 'node_modules/uplot/dist/uPlot.iife.min.js'],
]);
const [CHART_STYLE, CHART_STYLE_SOURCE] = ['vendor/uPlot.min.css', 'node_modules/uplot/dist/uPlot.min.css'];

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
    const source = (await bytesOf(name)).toString();
    const folder = path.posix.dirname(name);
    const [imports] = parse(source);
    let text = source;
    // From the last one on, so that the places of the others stay.
    for (const { specifier: asked, start, end, type } of [...imports].reverse()) {
      if (type === 'import-meta') continue;
      const found = asked === undefined ? undefined : placeOf(asked) ?? (asked.startsWith('.') ? path.posix.join(folder, asked) : undefined);
      if (found === undefined) throw new Error(`${name} imports ${asked ?? 'what it reckons'}, which is no library of the page`);
      waiting.push(found);
      text = text.slice(0, start) + relative(folder, found) + text.slice(end);
    }
    byPath.set(name, { type: 'text/javascript; charset=utf-8', bytes: Buffer.from(withoutSpare(text)) });
  }
  const scripts = [...byPath.keys()].sort();
  byPath.set(OWN_STYLE, { type: STYLE_TYPE, bytes: await readShippedFile(OWN_STYLE) });
  byPath.set(CHART_STYLE, { type: STYLE_TYPE, bytes: await readShippedFile(CHART_STYLE_SOURCE) });
  const contents = [...byPath].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { bytes }]) => `${name}\0${bytes.toString('latin1')}\0`);
  return { version: hash('sha256', contents.join(''), 'hex').slice(0, 16), byPath, scripts };
}

/** A browser reads no source maps, which are not served, and no indentation. In a template of markup a space at the beginning of a line means nothing either. */
function withoutSpare(code: string): string {
  return code.replace(/\n\/\/# sourceMappingURL=.*/g, '').replace(/\n +/g, '\n');
}

function relative(folder: string, target: string): string {
  const found = path.posix.relative(folder, target);
  return found.startsWith('.') ? found : `./${found}`;
}

const VENDOR = 'vendor/';

/** `preact/hooks` -> `vendor/preact-hooks.js`; undefined for what is no library */
function placeOf(library: string): string | undefined {
  return LIBRARIES.has(library) ? `${VENDOR}${library.replace('@', '').replaceAll('/', '-')}.js` : undefined;
}

async function bytesOf(name: string): Promise<Buffer> {
  if (!name.startsWith(VENDOR)) return readFile(path.join(COMPILED, name));
  const source = [...LIBRARIES].find(([library]) => placeOf(library) === name)?.[1];
  if (source === undefined) throw new Error(`${name} is no library of the page`);
  const bytes = await readShippedFile(source);
  // Of this one only the script is minified, and a script makes a variable where a module has an export.
  return source.includes('.iife.') ? Buffer.concat([bytes, Buffer.from('\nexport default uPlot;\n')]) : bytes;
}
