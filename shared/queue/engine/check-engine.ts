import { BULLMQ_VERSION, bullmqScripts, CALLERS_TIME, DUE_SCORES, FINISH_OWN_KEYS, loopMethods, PUT_BACK_JOB, STALL_KEYS, type BullmqScriptName, type LoopMethodName, type ScriptShape } from './bullmq-contract.js';
import { patchedFunction } from './bullmq-script.js';
import { bullmqScript, type DefinedScript } from './defined-scripts.js';
import type { EngineFacts } from './engine-facts.js';
import { EngineMismatchError } from './engine-mismatch.js';
import { guardedScript } from './guarded-scripts.js';
import { patchingScripts, scriptsPatchedIn } from './script-patches.js';

/**
 * Refuses libraries that this folder was not written for, before a task is taken or stored. With another order of keys
 * BullMQ's Lua would write a task into the wrong place, without an error.
 * @throws EngineMismatchError that names everything that differs
 */
export function checkEngine(facts: EngineFacts): void {
  const findings = [...checkVersion(facts), ...checkShapes(facts), ...checkCalls(facts), ...checkTimes(facts), ...checkScores(facts), ...checkPatches(facts), ...checkJobs(facts), ...checkLoop(facts)];
  if (findings.length > 0) throw new EngineMismatchError([...new Set(findings)]);
}

function checkVersion({ bullmqVersion }: EngineFacts): string[] {
  return bullmqVersion === BULLMQ_VERSION ? [] : [`bullmq: expected ${BULLMQ_VERSION}, found ${String(bullmqVersion)}`];
}

const shapes = Object.entries(bullmqScripts) as [BullmqScriptName, ScriptShape][];

function checkShapes({ scripts }: EngineFacts): string[] {
  return shapes.flatMap(([name, { keys, values }]) =>
    findingsOf(() => {
      const script = bullmqScript(scripts, name);
      const found = { keys: script.numberOfKeys, values: valuesRead(script) };
      if (found.keys === keys && found.values === values) return [];
      return [`bullmq: expected ${keys} keys and ${values} values of the script ${name}, found ${String(found.keys)} and ${found.values}`];
    }),
  );
}

/** BullMQ must hand over as many keys and values as its script takes, and a job must stand where our Lua looks for it. */
function checkCalls({ calls, ends, jobId, jobKey, keyPrefix }: EngineFacts): string[] {
  const all = [...calls, ...ends.map((args) => ({ script: 'moveToFinished', args }))];
  const counts = all.flatMap(({ script, args }) => {
    const shape = shapeOf(script);
    if (shape === undefined) return [`bullmq: expected one of the scripts ${Object.keys(bullmqScripts).join(', ')}, found ${script}`];
    return args.length === shape.keys + shape.values ? [] : [`bullmq: expected ${shape.keys + shape.values} arguments of the script ${script}, found ${args.length}`];
  });
  const { keys } = bullmqScripts.moveToDelayed;
  const putBack = calls.find(({ script }) => script === 'moveToDelayed')?.args ?? [];
  if (putBack[PUT_BACK_JOB.key - 1] !== jobKey || putBack[keys + PUT_BACK_JOB.id - 1] !== jobId) {
    counts.push(`bullmq: expected the job as key ${PUT_BACK_JOB.key} and value ${PUT_BACK_JOB.id} of the script moveToDelayed, found it elsewhere`);
  }
  const stallCheck = calls.find(({ script }) => script === 'moveStalledJobsToWait')?.args ?? [];
  const found = [STALL_KEYS.stalled - 1, STALL_KEYS.mark - 1, bullmqScripts.moveStalledJobsToWait.keys + STALL_KEYS.prefixValue - 1].map((index) => String(stallCheck[index]));
  const wanted = [`${keyPrefix}stalled`, `${keyPrefix}stalled-check`, keyPrefix];
  if (found.join() !== wanted.join()) counts.push(`bullmq: expected the keys ${wanted.join()} at their places in the call of moveStalledJobsToWait, found ${found.join()}`);
  const differing = ends[0].slice(0, bullmqScripts.moveToFinished.keys).flatMap((key, index) => (key === ends[1][index] ? [] : [index]));
  const expected = Array.from({ length: FINISH_OWN_KEYS.count }, (_, nth) => FINISH_OWN_KEYS.from + nth);
  if (differing.join() !== expected.join()) counts.push(`bullmq: expected the keys ${expected.join()} of the script moveToFinished to differ between jobs, found ${differing.join() || 'none'}`);
  return counts;
}

/** BullMQ's scripts begin with a comment that says what each value is. */
function checkTimes({ scripts }: EngineFacts): string[] {
  return CALLERS_TIME.flatMap(([name, value]) =>
    findingsOf(() => (new RegExp(`\\bARGV\\[${value}\\]\\s+timestamp\\b`).test(bullmqScript(scripts, name).lua) ? [] : [`bullmq: expected the time as value ${value} of the script ${name}, found it nowhere`])),
  );
}

function checkScores({ scripts }: EngineFacts): string[] {
  return DUE_SCORES.flatMap(([name, text]) => findingsOf(() => (bullmqScript(scripts, name).lua.includes(text) ? [] : [`bullmq: expected ${text} in the script ${name}, found it nowhere`])));
}

function shapeOf(script: string): ScriptShape | undefined {
  return shapes.find(([name]) => name === script)?.[1];
}

/** Each text that script-patches.ts changes has to stand in its script exactly once. */
function checkPatches({ scripts }: EngineFacts): string[] {
  const changes = [
    ...scriptsPatchedIn('itself').map((script) => () => guardedScript(scripts, script)),
    ...patchingScripts.flatMap((place) => scriptsPatchedIn(place).map((script) => () => patchedFunction(scripts, script, place, 'changed'))),
  ];
  return changes.flatMap((change) =>
    findingsOf(() => {
      change();
      return [];
    }),
  );
}

function checkJobs({ sharesBackend }: EngineFacts): string[] {
  return sharesBackend ? [] : ["bullmq: expected a job to keep its queue's backend in 'backend', found another one or none"];
}

const loopEntries = Object.entries(loopMethods) as [LoopMethodName, readonly string[]][];

/** Replaced methods help only as long as BullMQ's loop goes through them. */
function checkLoop({ loop }: EngineFacts): string[] {
  return loopEntries.flatMap(([name, calls]) => {
    const method = loop[name];
    if (typeof method !== 'function') return [`bullmq: expected a method ${name}, found none`];
    // The text of the function: BullMQ's own code is not minified.
    const text = Function.prototype.toString.call(method);
    return calls.filter((call) => !text.includes(call)).map((call) => `bullmq: expected ${call} in ${name}, found it nowhere`);
  });
}

/** The highest ARGV that the text reads. */
function valuesRead({ lua }: DefinedScript): number {
  return Math.max(0, ...[...lua.matchAll(/\bARGV\[(\d+)\]/g)].map(([, number]) => Number(number)));
}

function findingsOf(check: () => string[]): readonly string[] {
  try {
    return check();
  } catch (error) {
    if (error instanceof EngineMismatchError) return error.findings;
    throw error;
  }
}
