import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** Modules that can open a connection, or have a server. */
const NETWORK = new Set(['node:net', 'node:tls', 'node:http', 'node:https', 'node:http2', 'node:dgram', 'net', 'tls', 'http', 'https', 'http2', 'dgram', 'undici', 'ioredis', 'kafkajs']);
/** What of them opens one. */
const OPENERS = new Set(['connect', 'createConnection', 'request', 'get', 'fetch', 'stream', 'pipeline', 'upgrade', 'createSocket', 'Socket', 'TLSSocket', 'Client', 'Pool', 'BalancedPool', 'Agent', 'ProxyAgent', 'EnvHttpProxyAgent', 'RetryAgent', 'WebSocket', 'EventSource', 'buildConnector', 'Redis', 'Cluster', 'Kafka', 'setGlobalDispatcher']);
/** What opens one without an import. */
const GLOBALS = new Set(['fetch', 'WebSocket', 'EventSource']);

/**
 * Every place of the API and the workers where a connection begins. One that leads to a destination stands behind the address policy
 * (`AddressGuard`); the others lead to what the operator has named.
 */
const waysOut: Readonly<Record<string, readonly string[]>> = {
  // To destinations and token servers: behind the guard.
  'workers/adapters/http/connection-pools.ts': ['buildConnector'],
  'workers/adapters/http/connection.ts': ['Client'],
  'shared/kafka/broker-sockets.ts': ['net.connect', 'tls.connect'],
  'shared/kafka/topic-connection.ts': ['kafkajs.Kafka'],
  // To the proxy of the operator, with the address that was judged.
  'workers/adapters/http/proxy-tunnel.ts': ['connectTls', 'connectTcp'],
  // To the Redis of the operator.
  'shared/redis/redis-connection.ts': ['Redis', 'Redis', 'Cluster'],
  'shared/redis/sentinel-failovers.ts': ['Redis'],
  'shared/redis/diagnose-redis.ts': ['Redis'],
  // To a Redis that refuses us: does it speak TLS, and why does it end the handshake?
  'shared/tls/handshake-error.ts': ['connect'],
  'shared/tls/speaks-tls.ts': ['connect'],
  // To a Redis that closes our connections: what does it say as it does?
  'shared/redis/refused-unasked.ts': ['connect'],
};

/** The places of a file where a connection begins, in their order. */
function openingsOf(file: string): string[] {
  const text = readText(file);
  // Only these can have one, and to parse all files takes seconds.
  if (!/\b(?:fetch|WebSocket|EventSource)\b|['"](?:node:)?(?:net|tls|https?|http2|dgram|undici|ioredis|kafkajs)['"]/.test(text)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imported = new Set<string>();
  const declared = new Set<string>();
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier) && NETWORK.has(node.moduleSpecifier.text)) {
      const { importClause } = node;
      if (importClause?.name !== undefined) imported.add(importClause.name.text);
      const bindings = importClause?.namedBindings;
      if (bindings !== undefined && ts.isNamespaceImport(bindings)) imported.add(bindings.name.text);
      // By its first name: `import { connect as open }` is a connect all the same.
      if (bindings !== undefined && ts.isNamedImports(bindings)) for (const { name, propertyName } of bindings.elements) if (OPENERS.has((propertyName ?? name).text)) imported.add(name.text);
    }
    if (ts.isImportEqualsDeclaration(node) || (ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require'))) {
      const named = /['"]([^'"]+)['"]/.exec(node.getText())?.[1] ?? '';
      if (NETWORK.has(named)) found.push(`import ${named}`);
    }
    if ((ts.isParameter(node) || ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isBindingElement(node)) && node.name !== undefined && ts.isIdentifier(node.name)) declared.add(node.name.text);
    if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'globalThis' && GLOBALS.has(node.name.text)) found.push(node.getText());
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const callee = node.expression.getText();
      const [first = '', last = first] = [callee.split('.')[0], callee.split('.').at(-1)];
      const isOpener = imported.has(first) && (callee === first || OPENERS.has(last));
      if (isOpener || GLOBALS.has(callee)) found.push(callee);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.filter((callee) => !GLOBALS.has(callee) || !declared.has(callee));
}

describe('ways out of the API and the workers', function () {
  this.timeout(10_000);

  it('are these, and no other: each new one has to say whether the address policy judges it (L5)', () => {
    const files = ['server', 'shared', 'workers'].flatMap((room) => readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => path.join(room, file)));
    // The page runs in a browser.
    const found = files.filter((file) => !file.startsWith('server/admin-page/')).map((file) => [file, openingsOf(file)] as const).filter(([, openings]) => openings.length > 0);
    expect(Object.fromEntries(found)).to.deep.equal(waysOut);
  });
});
