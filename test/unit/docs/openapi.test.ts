import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

import { answerToError } from '../../../server/http/error-response.js';
import { parseLimits } from '../../../server/flow/schema.js';
import { createTaskParser } from '../../../server/tasks/schema.js';
import { waitingCodes } from '../../../server/tasks/waiting-for.js';
import { deadReasons } from '../../../shared/domain/task/attempt-record.js';
import { deferralReasons } from '../../../shared/domain/task/deferral.js';
import { deliveryErrors, RequestError } from '../../../shared/domain/errors.js';
import { requestErrors, type RequestErrorCode } from '../../../shared/domain/request-errors.js';
import { jitters } from '../../../shared/domain/task/retry-policy.js';
import { taskStates } from '../../../shared/domain/task/task.js';
import { requestViolations } from '../../support/contract.js';
import { entries, readText, readYaml, type Tree } from './repository-file.js';

const api = readYaml('docs/openapi.yaml');
const schemas = api['components']?.['schemas'];
const parseTask = createTaskParser({ maxMessageBytes: 1_048_576, defaultJitter: 'none' });

function statusOf(code: RequestErrorCode): string {
  return String(answerToError(new RequestError(code, '')).status);
}

/** The known values of an enum that is open: `anyOf` with any text beside them. */
function openEnum(node: Tree | undefined): unknown {
  const [known, anyText, ...more] = entries(node?.['anyOf']).map(([, alternative]) => alternative);
  expect([anyText, more], 'any other text is allowed too').to.deep.equal([{ type: 'string' }, []]);
  return known?.['enum'];
}

/** The fields of a task for HTTP, those that any task may have and those that depend on the type. */
function taskFields(): Map<string, Tree> {
  const parts = [schemas?.['TaskFields'], ...entries(schemas?.['WhenExhausted']?.['anyOf']).map(([, part]) => part), schemas?.['DeadToKafka'], schemas?.['HttpTask']];
  return new Map(parts.flatMap((part) => entries(part?.['properties'])));
}

function resolve(node: Tree | undefined): Tree | undefined {
  const reference: unknown = node?.['$ref'];
  if (typeof reference !== 'string') return node;
  return reference.replace('#/', '').split('/').reduce<Tree | undefined>((at, name) => at?.[name], api);
}

/** Every example of an error in the contract: the status it stands under, and its body. */
function errorExamples(): { status: string; code: unknown }[] {
  return entries(api['paths']).flatMap(([, item]) =>
    entries(item).flatMap(([, operation]) =>
      entries(operation['responses']).flatMap(([status, response]) => {
        if (status.startsWith('2')) return [];
        const examples = resolve(response)?.['content']?.['application/json']?.['examples'];
        return examples === undefined ? [] : entries(examples).map(([, example]) => ({ status, code: example['value']?.['code'] }));
      }),
    ),
  );
}

/** Names of all fields that an answer can have, at any depth. */
function propertiesOf(node: Tree | undefined, found = new Set<string>(), seen = new Set<Tree>()): ReadonlySet<string> {
  const target = resolve(node);
  if (typeof target !== 'object' || seen.has(target)) return found;
  seen.add(target);
  for (const [name, child] of Object.entries<Tree | null | undefined>(target)) {
    if (name === 'example' || name === 'examples' || child === null) continue;
    if (name === 'properties') for (const field of Object.keys(child ?? {})) found.add(field);
    propertiesOf(child, found, seen);
  }
  return found;
}

describe('docs/openapi.yaml', () => {
  const base = { id: 'a', source: 's', client_id: 'c', destination_type: 'kafka', destination: { topic: 't' }, dead_destination: { topic: 'd' }, max_retries: 0, base_delay: 1, message_data: 'm' };

  it('has the version of package.json', () => {
    const { version } = JSON.parse(readText('package.json')) as { version: string };
    expect(api['info']?.['version']).to.equal(version);
  });

  it('lists the error codes of shared/domain/errors.ts', () => {
    expect(openEnum(schemas?.['RequestErrorCode'])).to.have.members(Object.keys(requestErrors));
    expect(openEnum(schemas?.['DeliveryErrorCode'])).to.have.members(Object.keys(deliveryErrors));
  });

  it('shows every error code once at least, under the status it really has', () => {
    const examples = errorExamples();
    expect(new Set(examples.map(({ code }) => code))).to.deep.equal(new Set(Object.keys(requestErrors)));
    for (const { status, code } of examples) {
      // Under `4XX` and `5XX` stand those that belong to no operation.
      expect(statusOf(code as RequestErrorCode), String(code)).to.match(new RegExp(`^${status.replaceAll('X', '\\d')}$`));
    }
  });

  it('lists the states of shared/domain/task/task.ts, and the reasons of shared/domain/task/attempt-record.ts', () => {
    expect(schemas?.['State']?.['enum']).to.have.members([...taskStates]);
    expect(schemas?.['TaskView']?.['properties']?.['dead_reason']?.['enum']).to.have.members([...deadReasons, null]);
  });

  it('lists the kinds of jitter of shared/domain/task/retry-policy.ts', () => {
    expect(schemas?.['TaskFields']?.['properties']?.['jitter']?.['enum']).to.have.members([...jitters]);
    expect(schemas?.['TaskView']?.['properties']?.['policy']?.['properties']?.['jitter']?.['enum']).to.have.members([...jitters]);
  });

  it('lists the codes of waiting_for, and the reasons of a deferral', () => {
    const { waiting_for: waitingFor, timeline } = schemas?.['TaskView']?.['properties'] as Readonly<Record<'waiting_for' | 'timeline', Tree>>;
    const [, waiting] = entries(waitingFor['oneOf']);
    expect(openEnum(waiting?.[1]['properties']?.['code'])).to.have.members([...waitingCodes]);
    const [reason, ...more] = entries(timeline['items']?.['oneOf']).flatMap(([, entry]) => entry['properties']?.['reason'] ?? []);
    expect(more).to.deep.equal([]);
    expect(openEnum(reason)).to.have.members([...deferralReasons]);
  });

  it('gives examples of limits that are accepted', () => {
    const examples = entries(api['paths']?.['/destinations/{key}']?.['put']?.['requestBody']?.['content']?.['application/json']?.['examples']);
    for (const [name, { value }] of examples) expect(() => parseLimits(value), name).to.not.throw();
  });

  for (const field of ['max_concurrency', 'rate', 'burst']) {
    it(`has the limits of ${field} that the service has`, () => {
      const rule = schemas?.['Limits']?.['properties']?.[field] as Record<string, number> | undefined;
      const [minimum, maximum] = [rule?.['minimum'] ?? NaN, rule?.['maximum'] ?? NaN];
      const body = (value: number): object => ({ rate: 1, [field]: value });
      for (const inside of [minimum, maximum]) expect(() => parseLimits(body(inside)), String(inside)).to.not.throw();
      for (const outside of [minimum * 0.9, maximum + 1]) expect(() => parseLimits(body(outside)), String(outside)).to.throw(RequestError);
    });
  }

  it('gives examples of tasks that are accepted', () => {
    const examples = entries(api['paths']?.['/tasks']?.['post']?.['requestBody']?.['content']?.['application/json']?.['examples']);
    expect(examples.length).to.be.greaterThan(1);
    for (const [name, { value }] of examples) expect(() => parseTask(value), name).to.not.throw();
  });

  it('has no key with a space in it: that is what a comma without quotes makes of a text in braces', () => {
    const keys: string[] = [];
    const collect = (node: Tree): void => {
      for (const [name, child] of Object.entries(node)) {
        keys.push(name);
        if (typeof child === 'object') collect(child);
      }
    };
    // A node that is null has no keys either.
    collect(JSON.parse(JSON.stringify(api, (_name, value: unknown) => value ?? '')) as Tree);
    expect(keys.length).to.be.greaterThan(1_000);
    expect(keys.filter((key) => key.includes(' '))).to.deep.equal([]);
  });

  it('has every field that a page tells its reader to look at in an answer', () => {
    const pages = ['README.md', 'UPGRADING.md', ...readdirSync(path.resolve(import.meta.dirname, '../../../docs')).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`)];
    const quoted = pages.flatMap((page) => [...readText(page).matchAll(/((?:`[a-z_]+`(?:, | and | or )?)+) (?:in|of) `GET (\/[a-z/:]+)`/g)].map(([, names = '', at = '']) => ({ page, names: [...names.matchAll(/[a-z_]+(?=`)/g)].map(String), at: at.replace(/:(\w+)/g, '{$1}') })));
    expect(quoted.length).to.be.at.least(12);
    for (const { page, names, at } of quoted) {
      const answer = resolve(api['paths']?.[at]?.['get']?.['responses']?.['200']);
      expect(answer, `${page}: GET ${at}`).to.not.equal(undefined);
      expect([...propertiesOf(answer)], `${page}: GET ${at}`).to.include.members(names);
    }
  });

  it('names the fields that a task may have, and those it must have', () => {
    const complaintsAbout = (task: unknown): Map<string, string> => {
      try {
        parseTask(task);
        return new Map();
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return new Map(error.details?.map(({ field, message }) => [field, message]));
      }
    };
    const named = [...taskFields().keys()];
    const complaints = complaintsAbout(Object.fromEntries([...named, 'unknown_field'].map((name) => [name, null])));
    expect(complaints.get('unknown_field')).to.include('is not allowed');
    for (const name of named) expect(complaints.get(name) ?? '', name).to.not.equal(`${name} is not allowed`);
    const required = [...complaintsAbout({ on_exhausted: 'park' }).keys()];
    const inSchema = ['TaskFields', 'HttpTask'].flatMap((name) => schemas?.[name]?.['required'] ?? []);
    expect(inSchema).to.have.members(required);
    expect([...complaintsAbout({}).keys()]).to.have.members([...required, 'dead_destination']);
  });

  it('points at nothing that is missing', () => {
    const references = [...readText('docs/openapi.yaml').matchAll(/\$ref: "([^"]+)"/g)].map(([, target = '']) => target);
    expect(references.length).to.be.greaterThan(10);
    for (const target of references) expect(resolve({ $ref: target as unknown as Tree }), target).to.be.an('object');
  });

  it('draws the line between texts that are taken and those that are not where the service draws it', () => {
    const texts = ['a', ' ', ' a', 'a ', 'a b', '.', '..', '...', '%2e', 'a|dead', '|dead', 'a|dead|1', 'dead', '\u00a0a', 'a\nb', 'a\n', '\n', '\u0085', '\u007f', '\u0000', 'a\u2028 ', '\u2028|dead', '🚚'.repeat(255), '🚚'.repeat(256), ''];
    const hosts = ['a', 'a.b', '-a', 'a-', '1.2.3.4', '::1', '[::1]', ':', '::ffff:1.2.3.4', 'fe80::1%lo', 'a:1', 'a/b', 'bücher', 'a b', ''];
    const urls = ['http://a', 'HTTPS://a/', 'http:///a', 'http:/a', 'http:\\\\a', 'http://a\\b', 'http://a/b\\c', 'http://a/?b=\\c', 'http://a b/', 'http://a/\tb', ' http://a', 'http://a\n', 'http://?a', 'http://[::1]:80/x?y#z', 'http://bücher.example/ü', 'ftp://a/', ''];
    const places: readonly (readonly [place: string, values: readonly string[], taskWith: (value: string) => object])[] = [
      ...['id', 'source', 'client_id', 'flow_key'].map((field) => [field, texts, (value: string) => ({ ...base, [field]: value })] as const),
      ['key', texts.filter((text) => text.length < 300), (key) => ({ ...base, destination: { topic: 't', key } })],
      ['header name', texts.filter((text) => text.length < 300), (name) => ({ ...base, destination: { topic: 't', headers: { [name]: '' } } })],
      ['host', hosts, (host) => ({ ...base, destination: { topic: 't', host, port: 1 } })],
      ['url', urls, (url) => ({ ...base, destination_type: 'http', destination: { url }, dead_destination: { url: 'http://a/' } })],
    ];
    const isTaken = (task: object): boolean => {
      try {
        parseTask(task);
        return true;
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return false;
      }
    };
    for (const [place, values, taskWith] of places) {
      for (const value of values) {
        const task = taskWith(value);
        expect(requestViolations('POST', '/tasks', task).length === 0, `${place} ${JSON.stringify(value)}`).to.equal(isTaken(task));
      }
    }
  });

  /** The numbers of the schema against the parser: just inside is accepted, just outside is not. */
  for (const field of ['max_retries', 'base_delay', 'initial_delay', 'max_delay']) {
    it(`has the limits of ${field} that the service has`, () => {
      const rule = schemas?.['TaskFields']?.['properties']?.[field] as Record<string, number | string> | undefined;
      const maximum = Number(rule?.['maximum']);
      const minimum = Number(rule?.['minimum'] ?? rule?.['exclusiveMinimum']);
      const isExclusive = rule?.['exclusiveMinimum'] !== undefined;
      expect(() => parseTask({ ...base, [field]: maximum }), 'maximum').to.not.throw();
      expect(() => parseTask({ ...base, [field]: maximum + 1 }), 'above maximum').to.throw(RequestError);
      if (isExclusive) expect(() => parseTask({ ...base, [field]: minimum }), 'exclusive minimum').to.throw(RequestError);
      else expect(() => parseTask({ ...base, [field]: minimum }), 'minimum').to.not.throw();
      expect(() => parseTask({ ...base, [field]: minimum - 1 }), 'below minimum').to.throw(RequestError);
    });
  }
});
