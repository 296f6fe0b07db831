import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/** A page for users: its path from the root, and its text. */
export interface Page {
  readonly file: string;
  readonly text: string;
}

/** README.md and the pages of docs/. */
export function readPages(): Page[] {
  const files = ['README.md', ...readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md')).sort().map((name) => `docs/${name}`)];
  return files.map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));
}

/** A piece of shell under `<!-- test: name -->`, which a test pastes into a shell as it stands. */
export interface DocBlock {
  readonly file: string;
  readonly name: string;
  readonly code: string;
  /** The JSON that the page shows right behind it. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;
}

export function blocksOf({ file, text }: Page): DocBlock[] {
  const found = text.matchAll(/<!-- test: ([\w-]+) -->\n```sh\n([^]*?)```\n(?:\n```json\n([^]*?)```)?/g);
  return [...found].map(([, name = '', code = '', answer]) => ({
    file,
    name,
    code,
    // A page that shows something else than an object fails the test that compares it.
    answer: answer === undefined ? undefined : (JSON.parse(answer) as Readonly<Record<string, unknown>>),
  }));
}

/** A request that a block makes with curl. */
export interface ShownRequest {
  readonly method: string;
  readonly path: string;
  /** What stands behind `-d`, parsed. */
  readonly body: unknown;
}

export function requestsOf({ code }: DocBlock): ShownRequest[] {
  const found = code.matchAll(/^curl -sS (?:-X ([A-Z]+) )?"\$URL(\/[^"]*)"([^]*?)(?=^curl |$(?![^]))/gm);
  return [...found].map(([, method, where = '', options = '']) => {
    const [, data] = /-d '([^']*)'/.exec(options) ?? [];
    return { method: method ?? (data === undefined ? 'GET' : 'POST'), path: where, body: data === undefined ? undefined : (JSON.parse(data) as unknown) };
  });
}
