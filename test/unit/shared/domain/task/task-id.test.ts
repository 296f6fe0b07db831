import { expect } from 'chai';
import fc from 'fast-check';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { hasNoControls, isAddressable, isShort, isWellFormed, type TextCheck } from '../../../../../shared/domain/field-check.js';
import { readProgress, type AttemptRecord } from '../../../../../shared/domain/task/attempt-record.js';
import { attemptToSend } from '../../../../../shared/domain/task/outgoing-message.js';
import { taskIdCheck } from '../../../../../shared/domain/task/task-id.js';
import { toTopicMessage } from '../../../../../shared/kafka/topic-message.js';
import { jobIdOf, taskIdOf } from '../../../../../shared/queue/names.js';
import { headerValue } from '../../../../../workers/adapters/http/header-value.js';
import { domainTask } from '../../../../support/tasks.js';

const checks: readonly TextCheck[] = 'checks' in taskIdCheck ? taskIdCheck.checks : [];
const isTaken = (id: string): boolean => id !== '' && checks.every((check) => check(id) === undefined);
/** The rule for any name. Only ids that pass it can be refused for being like another one. */
const isName = (id: string): boolean => id !== '' && [isWellFormed, hasNoControls, isShort].every((check) => check(id) === undefined);

/** Ids of the pieces that keys, headers and paths are made of. */
const id = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom('|', 'dead', '|dead', '|dead|', '|dead|1', '%', '%2e', '%2E', '%7C', '%20', '.', '..', '/', '\\', '?', '#', ' ', '0', '1', '2', '10', 'a', '\u00a0', 'ü', '🚚') }, { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 2 }) }), { minLength: 1, maxLength: 5 })
  .map((pieces) => pieces.join(''));

const MOST_SENDS = 3;

function record(changes: Partial<AttemptRecord>): AttemptRecord {
  return { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_server_error', at: 0, ms: 1, stalls: 0, ...changes };
}

/** Every send that a task of this id can cause in its first runs, and the name of each. */
function sendsOf(taskId: string): { readonly name: string; readonly key: string; readonly run: string; readonly taskId: string }[] {
  const task = domainTask({ id: taskId });
  return [1, 2].flatMap((run) =>
    Array.from({ length: MOST_SENDS }, (_, failures) => failures).flatMap((failures) => {
      const failed = Array.from({ length: failures }, (_, attempt) => record({ run, attempt }));
      const last = record({ run, attempt: failures, next: 'dead_letter', reason: 'retries_exhausted' });
      return [
        { name: `attempt ${failures}`, log: failed },
        { name: `dead letter after ${failures + 1}`, log: [...failed, last] },
      ].map(({ name, log }) => {
        const { key, headers } = attemptToSend(task, readProgress(log, run), defaultPathMask);
        return { name: `${name} of run ${run} of ${JSON.stringify(taskId)}`, key, run: headers['x-retry-run'] ?? '', taskId: headers['x-retry-task-id'] ?? '' };
      });
    }),
  );
}

/** What a receiver reads: parsers cut spaces and tabs off the ends of a header. */
const received = (text: string): string => headerValue(text).replace(/^[ \t]+|[ \t]+$/g, '');
/** The id that a service reads from the address that fetch, a browser or a proxy asks for. */
function idAsked(taskId: string): string | undefined {
  const [, tasks, segment, ...more] = new URL(`http://127.0.0.1/tasks/${encodeURIComponent(taskId)}`).pathname.split('/');
  return tasks === 'tasks' && more.length === 0 && segment !== undefined ? decodeURIComponent(segment) : undefined;
}

describe('task ids', () => {
  it('of two tasks have no key, header, address or job in common, in any attempt, phase and run', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(id, id.map((start) => `${start}|dead`), id.map((start) => `${start}|1`)), { minLength: 2, maxLength: 12 }), (ids) => {
        const seen = new Map<string, string>();
        const claim = (what: string, owner: string): void => {
          expect(seen.get(what) ?? owner, what).to.equal(owner);
          seen.set(what, owner);
        };
        for (const taskId of ids.filter(isTaken)) {
          claim(`address ${idAsked(taskId) ?? 'none'}`, taskId);
          claim(`path ${encodeURIComponent(taskId)}`, taskId);
          claim(`job ${jobIdOf(taskId)}`, taskId);
          for (const { name, key, run, taskId: header } of sendsOf(taskId)) {
            claim(`X-Message-Key ${received(key)} in run ${run}`, name);
            claim(`record key ${toTopicMessage({ taskId, run: 1, edit: 0, phase: 'delivery', key, body: '', headers: {} }, { type: 'kafka', broker: undefined, topic: 't', key: undefined, headers: undefined }).key.toString('hex')} in run ${run}`, name);
            claim(`X-Message-Key ${received(key)}`, taskId);
            claim(`x-retry-task-id ${received(header)}`, taskId);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('arrive in headers and addresses as they are', () => {
    fc.assert(
      fc.property(id.filter(isTaken), (taskId) => {
        expect(Buffer.from(received(taskId), 'latin1').toString('utf8')).to.equal(taskId);
        expect(Buffer.from(received(`${taskId}|0`), 'latin1').toString('utf8')).to.equal(`${taskId}|0`);
        expect(idAsked(taskId)).to.equal(taskId);
        expect(taskIdOf(jobIdOf(taskId))).to.equal(taskId);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are refused only where one of these would be wrong', () => {
    const oddId = fc.oneof(id, fc.constantFrom('.', '..'), id.map((text) => ` ${text}`), id.map((text) => `${text} `), id.map((text) => `${text}|dead`));
    let refused = 0;
    fc.assert(
      fc.property(oddId.filter(isName), (taskId) => {
        if (isTaken(taskId)) return;
        refused += 1;
        const arrivesOtherwise = Buffer.from(received(taskId), 'latin1').toString('utf8') !== taskId;
        const cannotBeAskedFor = idAsked(taskId) !== taskId;
        const other = taskId.endsWith('|dead') ? taskId.slice(0, -'|dead'.length) : undefined;
        const sharesKey = other !== undefined && sendsOf(other).some(({ key }) => sendsOf(taskId).some((own) => own.key === key));
        expect(arrivesOtherwise || cannotBeAskedFor || sharesKey, taskId).to.equal(true);
      }),
      { numRuns: 1_000 },
    );
    expect(refused).to.be.greaterThan(100);
  });

  it('that are names of a step in a path are refused in every place of a path, and no spelling of them is', () => {
    const asked = (name: string): string => new URL(`http://127.0.0.1/destinations/${encodeURIComponent(name)}/pause`).pathname;
    fc.assert(
      fc.property(fc.array(fc.constantFrom('.', '%2e', '%2E', '%', '2', 'e', '/'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')), (name) => {
        expect(asked(name) === `/destinations/${encodeURIComponent(name)}/pause`).to.equal(isAddressable(name) === undefined);
      }),
    );
  });
});
