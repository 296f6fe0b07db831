import { readFileSync } from 'node:fs';
import path from 'node:path';

// Both are CommonJS: what they export lies in the `default` of what Node imports.
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import { parse } from 'yaml';

type Ajv = InstanceType<typeof Ajv2020.default>;

/** Any node of the file. Reading a field that is not there gives undefined. */
interface Node {
  readonly [key: string]: Node | undefined;
}

/** Read when it is needed first: most files that import this never ask. */
let schemas: Contract | undefined;

interface Contract {
  readonly contract: Node;
  readonly ajv: Ajv;
  /** Each path of the contract, and what meets it. */
  readonly templates: readonly (readonly [template: string, pattern: RegExp])[];
}

function load(): Contract {
  if (schemas !== undefined) return schemas;
  const contract = parse(readFileSync(path.resolve(import.meta.dirname, '../../docs/openapi.yaml'), 'utf8')) as Node;
  // Not strict: OpenAPI has keywords of its own, such as `discriminator` and `example`.
  const ajv = new Ajv2020.default({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // No check of Ajv's: the parser of WHATWG decides, and the contract says the rest as a pattern.
  ajv.addFormat('http-url', true);
  ajv.addFormat('percent-encoded-name', true);
  ajv.addFormat('destination-id', true);
  ajv.addSchema(contract, 'open');
  ajv.addSchema(closed(contract), 'closed');
  const templates = Object.keys(contract['paths'] ?? {}).map((template) => [template, new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`)] as const);
  schemas = { contract, ajv, templates };
  return schemas;
}

/**
 * The same schemas, but no object may have a field that is not named. Clients must ignore such fields, so the contract allows
 * them; the service must not send any.
 */
function closed(node: Node): Node {
  if (Array.isArray(node)) return node.map((item: Node) => (isNode(item) ? closed(item) : item)) as unknown as Node;
  const parts = node['allOf'];
  const copy: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(node)) copy[name] = name !== 'allOf' && isNode(child) ? closed(child) : child;
  // Parts that are closed one by one would refuse each other's fields.
  if (Array.isArray(parts)) copy['allOf'] = parts.map(({ $ref }: { $ref: string }) => ({ $ref: `open${$ref}` }));
  const isObject = isNode(node['properties']) || parts !== undefined;
  if (isObject && node['additionalProperties'] === undefined) copy['unevaluatedProperties'] = false;
  return copy as Node;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

/** A JSON pointer to a place in the contract, and the node that stands there, with references followed. */
interface Place {
  readonly pointer: string;
  readonly node: Node;
}

function place(...steps: readonly string[]): Place | undefined {
  let at: Place = { pointer: '#', node: load().contract };
  for (const step of steps) {
    const child: unknown = at.node[step];
    if (!isNode(child)) return undefined;
    const reference: unknown = child['$ref'];
    if (typeof reference === 'string') {
      const target = place(...reference.split('/').slice(1));
      if (target === undefined) return undefined;
      at = target;
    } else {
      at = { pointer: `${at.pointer}/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`, node: child };
    }
  }
  return at;
}

/** The path of the contract that a path of a request meets: `/tasks/a` is `/tasks/{id}`. */
function templateOf(pathname: string): string | undefined {
  const templates = load().templates.filter(([, pattern]) => pattern.test(pathname)).map(([template]) => template);
  // `/tasks/batch` meets itself, not `/tasks/{id}`.
  return templates.find((template) => !template.includes('{')) ?? templates[0];
}

function violations(document: 'open' | 'closed', schema: Place | undefined, value: unknown): string[] {
  if (schema === undefined) return ['has no schema in docs/openapi.yaml'];
  // A pointer stands in a URI here: what is no character of one has to be percent-encoded.
  const validate = load().ajv.getSchema(document + encodeURI(schema.pointer));
  if (validate === undefined) return [`no schema at ${schema.pointer}`];
  const isValid = validate(value);
  return isValid === true ? [] : (validate.errors ?? []).map(({ instancePath, message = '', params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** @returns what is wrong with the JSON body of a request: empty when it is as the contract says */
export function requestViolations(method: string, pathname: string, body: unknown): string[] {
  const template = templateOf(pathname);
  if (template === undefined) return ['no such path'];
  return violations('open', place('paths', template, method.toLowerCase(), 'requestBody', 'content', 'application/json', 'schema'), body);
}

/** An answer, and the request that it belongs to. */
interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly body: unknown;
}

/**
 * @returns what is wrong with an answer in JSON, fields that the contract does not name included. Empty for paths and methods that
 *          are not in the contract: a test of its own compares those with the service.
 */
export function answerViolations({ method, path: pathAndQuery, status, body }: Exchange): string[] {
  const [pathname = ''] = pathAndQuery.split('?');
  const template = templateOf(pathname);
  const operation = template === undefined ? undefined : ['paths', template, method.toLowerCase()];
  if (operation === undefined || place(...operation) === undefined) return [];
  const name = [String(status), `${Math.floor(status / 100)}XX`].find((each) => place(...operation, 'responses', each) !== undefined);
  if (name === undefined) return [`no answer ${status}`];
  return violations('closed', place(...operation, 'responses', name, 'content', 'application/json', 'schema'), body);
}

/** Addresses of APIs that another version of the service runs. */
const otherVersions = new Set<string>();

/** The contract of that version is another one, so its answers are not compared. @param baseUrl without a slash at the end */
export function isOfOtherVersion(baseUrl: string): void {
  otherVersions.add(baseUrl);
}

/** Fails the test when an answer is not as docs/openapi.yaml says. */
export function expectAsInContract(baseUrl: string, exchange: Exchange): void {
  if (otherVersions.has(baseUrl)) return;
  const { method, path: where, status } = exchange;
  expect(answerViolations(exchange), `docs/openapi.yaml, ${method} ${where}, ${status}: ${JSON.stringify(exchange.body)}`).to.deep.equal([]);
}
