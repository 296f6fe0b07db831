// The rules of docs/ARCHITECTURE.md that a machine can watch. A rule that is off has its reason beside it.
import chaiExpect from 'eslint-plugin-chai-expect';
import { defineConfig, globalIgnores } from 'eslint/config';
import path from 'node:path';
import tseslint from 'typescript-eslint';

const root = path.resolve(import.meta.dirname, '..');

// ---------------------------------------------------------------- walls: who may import what

/** Libraries that have a door: packages (with their subpaths), and where their code has to go instead. */
const libraries = {
  express: { packages: ['express', 'helmet'], home: 'server/ops/bull-board.ts, whose library is an Express app; every other route is a row of server/route-table.ts' },
  joi: { packages: ['joi'], home: 'server/tasks/schema.ts or a schema.ts beside it: input is checked once, at the edge' },
  bullBoard: { packages: ['@bull-board'], home: 'server/ops/bull-board.ts' },
  undici: { packages: ['undici'], home: 'workers/adapters/http/' },
  kafkajs: { packages: ['kafkajs'], home: 'shared/kafka/' },
  ioredis: { packages: ['ioredis'], home: 'shared/redis/; elsewhere take a RedisClient from redis-connection.ts' },
  bullmq: { packages: ['bullmq'], home: 'shared/queue/engine/ (elsewhere take a TaskQueue, or a QueueClient of queue-client.ts), workers/delivery/delivery-worker.ts or workers/delivery/settle-outcome.ts' },
  winston: { packages: ['winston', 'logform'], home: 'shared/logging/; elsewhere take a Logger' },
  promClient: { packages: ['prom-client'], home: 'shared/telemetry/metrics.ts: elsewhere take a Metrics, and add a row to metric-rows.ts' },
  openTelemetry: { packages: ['@opentelemetry'], home: 'shared/telemetry/tracing/otel-tracing.ts (spans) or otel-sdk.ts (how they are sent): elsewhere take a Tracing' },
  page: { packages: ['preact', '@preact', 'htm', 'uplot'], home: 'server/admin-page/, which runs in a browser' },
  pageFiles: { packages: ['es-module-lexer'], home: 'server/admin/page-files.ts' },
  testTools: {
    packages: ['chai', 'mocha', 'fast-check', 'yaml', 'tsx', 'playwright-core', 'ajv', 'ajv-formats', 'openapi-typescript', 'typescript'],
    home: 'test/ or scripts/: it is not installed in production',
  },
};

/** What the page may use of the service: pure rules, so that it reads a query and judges a state as the API does. */
const browserSafe = '(client/answers|shared/wire/[\\w-]+|shared/domain/(errors|search/[\\w-]+|task/state-actions))\\.js$';

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
/** A folder reached by going up, at whatever depth the importing file lies. */
const upInto = (...folders) => `^(\\.\\./)+(${folders.map(escaped).join('|')})(/|$)`;

const wall = {
  clientKnowsTheApiOnly: { regex: '^(\\.\\./)+(server|workers|shared/(?!wire/))', message: 'The client speaks with the API alone: of the service it may import shared/wire, and nothing else.' },
  client: { regex: upInto('client'), message: 'The service does not import its client: what both need belongs into shared/wire.' },
  test: { regex: upInto('test', 'examples'), message: 'Nothing imports test or examples: what both need belongs into shared/.' },
  scripts: { regex: upInto('scripts'), message: 'The service does not import scripts/: what both need belongs into shared/.' },
  workers: { regex: upInto('workers'), message: 'The street is one-way, server -> shared <- workers: what both need belongs into shared/.' },
  server: { regex: upInto('server'), message: 'The street is one-way, server -> shared <- workers: what both need belongs into shared/.' },
  env: { regex: '^(node:)?process$', message: 'Only shared/config/load.ts reads the environment: add a row to shared/config/schema.ts and hand the value on.' },
  domainIsPure: {
    regex: '^[^.]',
    message: 'shared/domain is pure: no library, no I/O, no clock. Put it into the room that has the socket, behind an interface of ports.ts.',
  },
  domainMayHash: {
    // Hashes, ciphers and signatures of node:crypto are pure functions. Random bytes are an argument, like all randomness.
    regex: '^(?!node:crypto$)[^.]',
    message: 'shared/domain is pure: no library, no I/O, no clock. Put it into the room that has the socket, behind an interface of ports.ts.',
  },
  domainMayReadAddresses: {
    // It reads and compares addresses, and opens nothing.
    regex: '^(?!ipaddr\\.js$)[^.]',
    message: 'shared/domain is pure: no library, no I/O, no clock. Put it into the room that has the socket, behind an interface of ports.ts.',
  },
  domainIsInnermost: { regex: upInto('config', 'redis', 'queue', 'kafka', 'logging', 'lifecycle', 'telemetry', 'wire'), message: 'shared/domain imports only itself: hand the value in as an argument.' },
  wireIsTypesOfDomain: { regex: '^(?!\\./|\\.\\./domain/)', message: 'shared/wire is what clients of the API share: it may import types of shared/domain, and nothing else.' },
  configKnowsDomainOnly: { regex: upInto('redis', 'queue', 'kafka', 'logging', 'lifecycle'), message: 'shared/config may import domain only: return a value (such as `warnings`) and let main.ts act on it.' },
  loggingKnowsDomainOnly: { regex: upInto('redis', 'queue', 'kafka', 'lifecycle'), message: 'shared/logging may import domain (and types of config) only.' },
  lifecycleKnowsLogging: { regex: upInto('redis', 'queue', 'kafka', 'config'), message: 'shared/lifecycle may import domain and logging only: main.ts hands in what is to be stopped.' },
  telemetryKnowsDomainOnly: { regex: upInto('config', 'redis', 'queue', 'kafka', 'logging', 'lifecycle'), message: 'shared/telemetry may import domain only: hand the number in, or a function that tells it.' },
  redisKnowsNoQueue: { regex: upInto('queue', 'kafka'), message: 'shared/redis is below shared/queue: a connection knows nothing of what is sent over it.' },
  kafkaKnowsNoQueue: { regex: upInto('redis', 'queue'), message: 'shared/kafka knows brokers, not queues: hand the value in as an argument.' },
  // Every folder beside it, also one that is yet to come; names.ts is no folder.
  engineIsInnermost: { regex: '^(\\.\\./)(?!\\.\\./|names\\.js$)', message: 'shared/queue/engine is below all other folders of shared/queue: take a script or a value as an argument.' },
  pageKnowsTheApiOnly: { regex: `^(?!(\\.\\./)+(${browserSafe}|(parts|state|views)/|html\\.js$))\\.\\./|^node:`, message: 'The page runs in a browser and speaks with the API alone: of the service it may import the types of its answers, and pure rules (browserSafe in scripts/eslint.config.js).' },
  queueKnowsNoKafka: { regex: upInto('kafka'), message: 'shared/queue stores tasks; what is sent is the adapters\' business.' },
};

/** The import rule of one room: which walls stand, and which libraries may come in. */
function walls(standing, allowedLibraries = []) {
  const shut = Object.entries(libraries).filter(([name]) => !allowedLibraries.includes(name));
  const patterns = [
    ...standing,
    ...shut.map(([, { packages, home }]) => ({
      regex: `^(${packages.map(escaped).join('|')})(/|$)`,
      message: `This library has one door. The code belongs into ${home}.`,
    })),
  ];
  return { 'no-restricted-imports': ['error', { patterns }] };
}

const outside = [wall.test, wall.scripts, wall.client];
const shared = [...outside, wall.server, wall.workers];

/** Later rows win, so each row says all of its room. */
const rooms = [
  { files: ['shared/**/*.ts'], rules: walls([...shared, wall.env]) },
  { files: ['shared/domain/**/*.ts'], rules: walls([...shared, wall.domainIsPure, wall.domainIsInnermost]) },
  { files: ['shared/domain/addresses/address-range.ts'], rules: walls([...shared, wall.domainMayReadAddresses, wall.domainIsInnermost]) },
  { files: ['shared/domain/destinations/path-mask.ts', 'shared/domain/secrets/*.ts'], rules: walls([...shared, wall.domainMayHash, wall.domainIsInnermost]) },
  { files: ['shared/wire/**/*.ts'], rules: walls([...shared, wall.wireIsTypesOfDomain]) },
  { files: ['shared/config/**/*.ts'], rules: walls([...shared, wall.configKnowsDomainOnly, wall.env]) },
  { files: ['shared/config/load.ts'], rules: walls([...shared, wall.configKnowsDomainOnly]) },
  { files: ['shared/logging/**/*.ts'], rules: walls([...shared, wall.loggingKnowsDomainOnly, wall.env], ['winston']) },
  { files: ['shared/lifecycle/**/*.ts'], rules: walls([...shared, wall.lifecycleKnowsLogging, wall.env]) },
  { files: ['shared/telemetry/**/*.ts'], rules: walls([...shared, wall.telemetryKnowsDomainOnly, wall.env]) },
  { files: ['shared/telemetry/metrics.ts'], rules: walls([...shared, wall.telemetryKnowsDomainOnly, wall.env], ['promClient']) },
  { files: ['shared/telemetry/tracing/otel-*.ts'], rules: walls([...shared, wall.telemetryKnowsDomainOnly, wall.env], ['openTelemetry']) },
  { files: ['shared/redis/**/*.ts'], rules: walls([...shared, wall.redisKnowsNoQueue, wall.env], ['ioredis']) },
  { files: ['shared/kafka/**/*.ts'], rules: walls([...shared, wall.kafkaKnowsNoQueue, wall.env], ['kafkajs']) },
  { files: ['shared/queue/**/*.ts'], rules: walls([...shared, wall.queueKnowsNoKafka, wall.env]) },
  { files: ['shared/queue/engine/**/*.ts'], rules: walls([...shared, wall.queueKnowsNoKafka, wall.engineIsInnermost, wall.env], ['bullmq']) },

  { files: ['server/**/*.ts'], rules: walls([...outside, wall.workers, wall.env]) },
  { files: ['server/**/schema.ts'], rules: walls([...outside, wall.workers, wall.env], ['joi']) },
  { files: ['server/admin/page-files.ts'], rules: walls([...outside, wall.workers, wall.env], ['pageFiles']) },
  { files: ['server/admin-page/**/*.ts'], rules: walls([wall.test, wall.scripts, wall.workers, wall.env, wall.pageKnowsTheApiOnly], ['page']) },
  { files: ['server/ops/bull-board.ts'], rules: walls([...outside, wall.workers, wall.env], ['express', 'bullBoard']) },

  { files: ['workers/**/*.ts'], rules: walls([...outside, wall.server, wall.env]) },
  { files: ['workers/delivery/delivery-worker.ts', 'workers/delivery/settle-outcome.ts'], rules: walls([...outside, wall.server, wall.env], ['bullmq']) },
  { files: ['workers/adapters/http/**/*.ts'], rules: walls([...outside, wall.server, wall.env], ['undici']) },

  { files: ['client/**/*.ts'], rules: walls([wall.test, wall.scripts, wall.clientKnowsTheApiOnly]) },

  // test may import anything.
  { files: ['scripts/**/*.{ts,js,mjs}'], rules: walls([wall.test], ['testTools']) },
  {
    files: ['scripts/**/*.mjs', 'examples/**/*.mjs'],
    // They are loaded by Mocha, and load it, once all is installed.
    ignores: ['scripts/run-tests/count-reporter.mjs', 'scripts/run-tests/lane.mjs'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^(?!node:|\\.{1,2}/)', message: 'This script runs on a fresh clone, before anything is installed: only node: modules and its own files.' }, wall.test] },
      ],
    },
  },
];

// ---------------------------------------------------------------- habits

const namedImportsOnly = [
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only: see docs/decisions/0003-named-exports-no-barrels.md.' },
  { selector: 'ExportSpecifier[exported.name="default"]', message: 'Named exports only: see docs/decisions/0003-named-exports-no-barrels.md.' },
  { selector: 'ExportAllDeclaration', message: 'No barrel files: import the file that has the thing.' },
  { selector: 'ExportNamedDeclaration[source]', message: 'No barrel files: import the file that has the thing.' },
];
const staticImportsOnly = [{ selector: 'ImportExpression', message: 'Import statically: a dynamic import gets round the walls in scripts/eslint.config.js.' }];
const typesOnly = [
  { selector: 'ImportDeclaration[importKind="value"]', message: 'shared/wire is types only: a client that imports it must not carry code of the service.' },
];
const noClock = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'shared/domain has no clock: take the time as an argument (Clock in ports.ts).' },
];

/** Ways into BullMQ and ioredis that are not in their documentation, or whose keys and values must be known. */
const enginesInsides = [
  {
    selector: 'MemberExpression[property.name=/^(scriptsSet|execCommand|getBackend|toKey)$/], ObjectPattern > Property[key.name=/^(scriptsSet|execCommand|getBackend|toKey)$/]',
    message: 'All that knows the insides of BullMQ and ioredis is in shared/queue/engine, where it is checked at start: add a function there.',
  },
];

const impureGlobals = ['process', 'console', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'performance', 'crypto'].map((name) => ({
  name,
  message: 'shared/domain is pure: take what you need as an argument.',
}));

const nodeGlobals = Object.fromEntries(
  [
    ...['AbortController', 'AbortSignal', 'Buffer', 'Event', 'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams'],
    ...['clearInterval', 'clearTimeout', 'console', 'fetch', 'performance', 'process', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout'],
  ].map((name) => [name, 'readonly']),
);

const everywhere = {
  'eqeqeq': 'error',
  'no-var': 'error',
  // main.ts hands out closures over things that it makes later.
  'prefer-const': ['error', { ignoreReadBeforeAssign: true }],
  'no-control-regex': 'error',
  'no-restricted-syntax': ['error', ...namedImportsOnly],
};

export default defineConfig(
  // test/contract-types is compiled by test/unit/docs/contract-types.test.ts, against types that exist only there.
  globalIgnores(['vendor/', '**/dist/', '**/dist.*/', '**/node_modules/', '**/.cache/', '**/.data/', 'test/contract-types/', 'client/api-contract.ts']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: ['./test/tsconfig.json', './server/admin-page/tsconfig.json'], tsconfigRootDir: root } },
    rules: {
      ...everywhere,
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unused-expressions': 'error',
      // A number prints in one way only; everything else in a template has to be made a text first.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => timer.unref()` beside `() => { ... }` says the same with more noise.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      // Off: `async` without `await` is how a function of an interface says "a failure of mine is a rejection".
      '@typescript-eslint/require-await': 'off',
      // Off: parts are handed on by their shape (interfaces), not by the constructor that made them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Strings are spread where code points are what is counted.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
    },
  },

  // Plain JavaScript that runs on a fresh clone. No types here but those in comments.
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: nodeGlobals },
    rules: {
      ...everywhere,
      'no-undef': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-unused-expressions': 'error',
      'no-unreachable': 'error',
      'no-dupe-keys': 'error',
      'no-fallthrough': 'error',
      'no-self-assign': 'error',
      'no-promise-executor-return': 'off', // `new Promise((resolve) => setTimeout(resolve, ms))` is how one waits
      'no-useless-escape': 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
    },
  },

  {
    files: ['{shared,server,workers}/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...namedImportsOnly, ...staticImportsOnly],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only shared/config/load.ts reads the environment: add a row to shared/config/schema.ts and hand the value on.' },
      ],
      'no-console': ['error'],
    },
  },
  {
    files: ['{shared,server,workers}/**/*.ts'],
    ignores: ['shared/queue/engine/**'],
    rules: { 'no-restricted-syntax': ['error', ...namedImportsOnly, ...staticImportsOnly, ...enginesInsides] },
  },
  { files: ['shared/config/load.ts'], rules: { 'no-restricted-properties': 'off' } }, // the one reader of process.env
  // It loads OpenTelemetry only in processes that trace: an import of its own two neighbours.
  { files: ['shared/telemetry/tracing/start-tracing.ts'], rules: { 'no-restricted-syntax': ['error', ...namedImportsOnly] } },
  {
    files: ['client/**/*.ts'],
    // It is the process of the command line; all others are handed their surroundings.
    ignores: ['client/cli/main.ts'],
    rules: { 'no-restricted-syntax': ['error', ...namedImportsOnly, ...staticImportsOnly], 'no-restricted-globals': ['error', { name: 'process', message: 'Only client/cli/main.ts knows the process: take it from Surroundings.' }], 'no-console': ['error'] },
  },
  {
    files: ['shared/domain/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...namedImportsOnly, ...staticImportsOnly, ...noClock],
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'shared/domain has no clock: take the time as an argument (Clock in ports.ts).' },
        { object: 'Math', property: 'random', message: 'shared/domain draws nothing: take the number as an argument (Random in ports.ts).' },
      ],
    },
  },

  { files: ['shared/wire/**/*.ts'], rules: { 'no-restricted-syntax': ['error', ...namedImportsOnly, ...staticImportsOnly, ...typesOnly] } },

  ...rooms,

  {
    files: ['test/**/*.ts'],
    plugins: { 'chai-expect': chaiExpect },
    rules: {
      'chai-expect/missing-assertion': 'error',
      'chai-expect/terminating-properties': 'error',
    },
  },
  // ESLint takes its configuration, and Mocha its reporter, from a default export.
  { files: ['scripts/eslint.config.js', 'scripts/run-tests/count-reporter.mjs'], rules: { 'no-restricted-syntax': 'off' } },
);
