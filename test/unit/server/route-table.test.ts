import { expect } from 'chai';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { mediaTypesOf, type Route } from '../../../server/http/route.js';
import { routeTable } from '../../../server/route-table.js';
import { entries, printLeaf, readText, readYaml, type Tree } from '../docs/repository-file.js';

const api = readYaml('docs/openapi.yaml');
const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];
const contractRows = routeTable.filter(({ operationId }) => operationId !== null);

/** `/tasks/:id` as the contract writes it: `/tasks/{id}`. */
const contractPath = (pattern: string): string => pattern.replace(/:(\w+)/g, '{$1}');

function resolve(node: Tree | undefined): Tree | undefined {
  const reference: unknown = node?.['$ref'];
  if (typeof reference !== 'string') return node;
  return reference.replace('#/', '').split('/').reduce<Tree | undefined>((at, name) => at?.[name], api);
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: unknown;
  readonly mediaTypes: readonly string[];
  readonly query: readonly unknown[];
  readonly headers: readonly unknown[];
}

/** Every operation of the contract, with what a row says of it, too. */
function operations(): Operation[] {
  return entries(api['paths']).flatMap(([at, item]) =>
    entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => {
        const content = resolve(operation['requestBody'])?.['content'];
        const parameters = operation['parameters'] === undefined ? [] : entries(operation['parameters']).map(([, parameter]) => resolve(parameter));
        return {
          method: method.toUpperCase(),
          path: at,
          operationId: operation['operationId'],
          mediaTypes: content === undefined ? [] : entries(content).map(([name]) => name),
          query: parameters.filter((parameter) => printLeaf(parameter?.['in']) === 'query').map((parameter) => parameter?.['name']),
          headers: parameters.filter((parameter) => printLeaf(parameter?.['in']) === 'header').map((parameter) => parameter?.['name']),
        };
      }),
  );
}

/** Calls that a table of a document lists: cells such as `GET`, `PUT` `/destinations/:key` or `POST /a/pause`, `/resume`. */
function callsInDocs(file: string): string[] {
  const [, table = ''] = /\n\| call \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)/.exec(readText(file)) ?? [];
  return table
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const cell = line.split('|')[1] ?? '';
      const words = [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => text.split(' '));
      const paths = words.filter((word) => word.startsWith('/'));
      const methods = words.filter((word) => /^[A-Z]+$/.test(word));
      const [first = ''] = paths;
      // `/resume` behind `/destinations/:key/pause` stands for `/destinations/:key/resume`; `/readyz` is a path of its own.
      const whole = paths.map((each, index) => (index > 0 && first.split('/').length > each.split('/').length ? first.replace(/\/[^/]+$/, each) : each));
      return whole.flatMap((each) => methods.map((method) => `${method} ${each}`));
    });
}

describe('the route table', () => {
  it('has the operations of docs/openapi.yaml, and no others', () => {
    const ofTable = contractRows.map(({ method, path: pattern, operationId }) => `${method} ${contractPath(pattern)} ${String(operationId)}`);
    expect(ofTable).to.have.members(operations().map(({ method, path: at, operationId }) => `${method} ${at} ${String(operationId)}`));
    expect(new Set(contractRows.map(({ operationId }) => operationId)).size, 'operation ids are unique').to.equal(contractRows.length);
  });

  it('reads the bodies and takes the query parameters that docs/openapi.yaml names', () => {
    for (const { method, path: at, mediaTypes, query } of operations()) {
      const row = contractRows.find((each) => each.method === method && contractPath(each.path) === at);
      expect(row === undefined ? undefined : [...mediaTypesOf[row.body]], `${method} ${at}`).to.have.members(mediaTypes);
      if (row?.query !== 'any') expect(row?.query, `${method} ${at}`).to.have.members(query);
    }
  });

  it('takes a reason and the name of an operator with every change of an operator', () => {
    const changes = contractRows.filter(({ method, role }) => method !== 'GET' && (role === 'operate' || role === 'admin'));
    expect(changes.length).to.be.at.least(6);
    for (const { method, path: pattern, query } of changes) {
      const operation = operations().find((each) => each.method === method && each.path === contractPath(pattern));
      expect(query, `${method} ${pattern}`).to.include('reason');
      expect(operation?.headers, `${method} ${pattern}`).to.include('X-Operator');
    }
  });

  it('has the calls that the documents list, and no others', () => {
    const listed = ['README.md', 'docs/API.md'].filter((file) => existsSync(path.resolve(import.meta.dirname, '../../..', file))).flatMap(callsInDocs);
    expect(new Set(listed)).to.deep.equal(new Set(contractRows.map(({ method, path: pattern }) => `${method} ${pattern}`)));
  });

  it('labels no two paths alike, but for what is below one *', () => {
    const pathsOf = new Map<string, Set<string>>();
    for (const { metricLabel, path: pattern, operationId } of routeTable) {
      if (operationId !== null) pathsOf.set(metricLabel, (pathsOf.get(metricLabel) ?? new Set()).add(pattern));
    }
    for (const [label, paths] of pathsOf) expect(paths.size, label).to.equal(1);
  });

  it('takes no row without a role, nor with a role that does not exist', () => {
    const handle: Route<unknown>['handle'] = async () => ({ status: 204 });
    const rest = { method: 'GET', path: '/x', body: 'none', query: [], operationId: null, metricLabel: '/x', handle } as const;
    // @ts-expect-error a row needs a role
    const without: Route<unknown> = rest;
    // @ts-expect-error the list of roles is closed
    const unknown: Route<unknown> = { ...rest, role: 'root' };
    // The same with a role is fine: nothing else is missing above.
    const complete: Route<unknown> = { ...rest, role: 'admin' };
    expect([without, unknown, complete]).to.have.lengthOf(3); // the compiler is the test
  });
});
