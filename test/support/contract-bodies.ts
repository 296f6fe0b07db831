import { readFileSync } from 'node:fs';
import path from 'node:path';

import { parse } from 'yaml';

/** Any node of docs/openapi.yaml. */
interface Node {
  readonly [key: string]: Node | undefined;
}

/** What an operation takes as JSON, as docs/openapi.yaml has it. */
export interface ContractBody {
  /** Names on the way to each field, down to the second level: `['destination', 'url']`. */
  readonly fields: readonly (readonly string[])[];
  /** Whole bodies that the contract shows. An operation without any has `{}`. */
  readonly examples: readonly object[];
}

const contract = parse(readFileSync(path.resolve(import.meta.dirname, '../../docs/openapi.yaml'), 'utf8')) as Node;

/** Fields below a field of the body are tried too, and what is below those is not. */
const LEVELS = 2;

/** @returns undefined for an operation that takes no JSON */
export function contractBodyOf(operationId: string): ContractBody | undefined {
  const operations = childrenOf(contract['paths']).flatMap((item) => childrenOf(item));
  const body = resolved(operations.find((each) => (each['operationId'] as unknown) === operationId)?.['requestBody']);
  const json = body?.['content']?.['application/json'];
  if (json === undefined) return undefined;
  const shown = [json['example'], ...childrenOf(json['examples']).map((each) => resolved(each)?.['value'])].filter((each) => each !== undefined);
  const list = resolved(json['schema'])?.['items'];
  // A list of tasks is shown nowhere, so a list of what one of them is stands for it.
  const ofItem = list === undefined ? undefined : contractBodyOf('submitTask')?.examples;
  return { fields: fieldsOf(list ?? json['schema'], LEVELS), examples: shown.length > 0 ? shown : (ofItem ?? [{}]) };
}

function fieldsOf(schema: Node | undefined, levels: number): (readonly string[])[] {
  const node = resolved(schema);
  if (node === undefined || levels === 0) return [];
  const own = Object.entries(node['properties'] ?? {}).flatMap(([name, child]): (readonly string[])[] => [[name], ...fieldsOf(child, levels - 1).map((below) => [name, ...below])]);
  const ofParts = ['allOf', 'oneOf', 'anyOf'].flatMap((name) => childrenOf(node[name]).flatMap((part) => fieldsOf(part, levels)));
  return [...new Map([...own, ...ofParts].map((field) => [field.join('.'), field])).values()];
}

function childrenOf(node: Node | undefined): Node[] {
  return Object.values(node ?? {}).filter((child) => typeof child === 'object');
}

function resolved(node: Node | undefined): Node | undefined {
  const reference: unknown = node?.['$ref'];
  if (typeof reference !== 'string') return node;
  return resolved(reference.replace('#/', '').split('/').reduce<Node | undefined>((at, name) => at?.[name], contract));
}
