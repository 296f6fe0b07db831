import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '../../..');

/** A file of this repository as text; `file` is its path from the root. */
export function readText(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Any node of a parsed YAML or JSON file. Reading a field that is not there gives undefined, which no test accepts. */
export interface Tree {
  readonly [key: string]: Tree | undefined;
}

export function readYaml(file: string): Tree {
  // Whatever the file holds, the tests look at it field by field.
  return parse(readText(file), { merge: true }) as Tree;
}

/** The children of a node, by name. */
export function entries(node: Tree | undefined): [name: string, child: Tree][] {
  if (typeof node !== 'object') throw new Error(`no object: ${JSON.stringify(node)}`);
  return Object.entries(node).flatMap(([name, child]) => (child === undefined ? [] : [[name, child]]));
}

/** A leaf of the tree as text. */
export function printLeaf(node: Tree | undefined): string {
  const leaf: unknown = node;
  if (typeof leaf !== 'string' && typeof leaf !== 'number' && typeof leaf !== 'boolean') throw new Error(`no leaf: ${JSON.stringify(leaf)}`);
  return String(leaf);
}
