import { RequestError } from '../../shared/domain/errors.js';
import { CLOSE_ARRAY, CLOSE_OBJECT, OPEN_ARRAY, OPEN_OBJECT } from '../http/json-bytes.js';
import { findJsonFaultInTurns } from '../http/json-fault.js';
import { JsonScan, tooComplex } from '../http/json-scan.js';
import { TextPlaces } from '../http/text-places.js';
import type { WorkTurns } from '../http/work-turns.js';
import { aTask } from './schema.js';

/** The bytes that are read between two looks at the clock; they take 0.1 ms. */
const STEP_BYTES = 65_536;

export interface ArrayLimits {
  readonly maxElements: number;
  readonly maxElementBytes: number;
}

/**
 * Finds the elements of a JSON array without reading them, `[1, {"a":[]}]` -> `1`, `{"a":[]}`.
 *
 * JSON.parse of the whole body would block all other requests for half a second, and make gigabytes of 32 MiB of `[[[[`.
 * One broken task would also fail all others. So only the frame is checked here: strings, brackets, and the commas
 * between.
 *
 * @param turns other requests have their turn while a long body is read
 * @returns the bytes of each element, which may still be no JSON; or why it must not be parsed (too_large, invalid_task)
 * @throws RequestError invalid_json when the frame is broken; too_large for more elements
 */
export async function splitArray(body: Buffer, { maxElements, maxElementBytes }: ArrayLimits, turns: WorkTurns): Promise<(Buffer | RequestError)[]> {
  const elements: (Buffer | RequestError)[] = [];
  let at = await skipSpaces(body, 0, turns);
  if (at === body.length) throw new RequestError('invalid_json', 'the body is empty: send an array of tasks');
  if (body[at] !== OPEN_ARRAY) throw new RequestError('invalid_json', `the body is not a JSON array of tasks${hintForOther(body[at])}`);
  at = await skipSpaces(body, at + 1, turns);
  if (body[at] === CLOSE_ARRAY) at += 1;
  else {
    let lookedAt = at;
    for (let isLast = false; !isLast; at += 1) {
      // Most elements begin right behind the comma and end in this step. To wait for a promise costs as much as to read 200 bytes.
      const from = isSpace(body[at]) ? await skipSpaces(body, at, turns) : at;
      const scan = new JsonScan();
      at = scan.advance(body, from, Math.min(from + STEP_BYTES, body.length));
      if (at >= from + STEP_BYTES) at = await readToEnd(body, at, scan, turns);
      if (at === from || at >= body.length || body[at] === CLOSE_OBJECT) throw await brokenFrame(body, turns);
      if (elements.length === maxElements) throw tooManyTasks(maxElements);
      if (at - from > maxElementBytes) elements.push(taskTooLarge('task', maxElementBytes));
      else elements.push(scan.complaint === undefined ? body.subarray(from, at) : tooComplex(aTask, scan.complaint));
      isLast = body[at] === CLOSE_ARRAY;
      // To look at the clock for each element costs more than to read it.
      if (at - lookedAt < STEP_BYTES) continue;
      lookedAt = at;
      if (turns.isUsedUp) await turns.next();
    }
  }
  if ((await skipSpaces(body, at, turns)) !== body.length) throw await brokenFrame(body, turns);
  return elements;
}

export function tooManyTasks(most: number): RequestError {
  return new RequestError('too_large', `a batch must not have more than ${most} tasks`, undefined, { notes: { limit: 'MAX_BATCH_TASKS' } });
}

/** @param what `task`, or `line` */
export function taskTooLarge(what: string, maxBytes: number): RequestError {
  return new RequestError('too_large', `a ${what} must not be larger than ${maxBytes} bytes`, undefined, { notes: { limit: 'MAX_MESSAGE_BYTES' } });
}

/** @returns the position behind an element of more than one step */
async function readToEnd(body: Buffer, from: number, scan: JsonScan, turns: WorkTurns): Promise<number> {
  let at = from;
  for (let to = from; at >= to && at < body.length; ) {
    if (turns.isUsedUp) await turns.next();
    to = Math.min(at + STEP_BYTES, body.length);
    at = scan.advance(body, at, to);
  }
  return at;
}

async function skipSpaces(body: Buffer, from: number, turns: WorkTurns): Promise<number> {
  let at = from;
  for (let to = from; at === to && at < body.length; ) {
    if (turns.isUsedUp) await turns.next();
    to = Math.min(at + STEP_BYTES, body.length);
    while (at < to && isSpace(body[at])) at += 1;
  }
  return at;
}

/** The characters that JSON takes for white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Where the frame broke says little: a quote too many in one task ends somewhere in the next. So the first fault is looked for. */
async function brokenFrame(body: Buffer, turns: WorkTurns): Promise<RequestError> {
  const fault = await findJsonFaultInTurns(body, turns);
  const where = fault === undefined ? '' : ` at ${new TextPlaces(body).at(fault.offset)}: ${fault.complaint}`;
  return new RequestError('invalid_json', `the body is not a valid JSON array${where}`);
}

/** A single task, and a task a line, both begin with a brace. */
function hintForOther(first: number | undefined): string {
  return first === OPEN_OBJECT ? ': put [ ] around the tasks, or send a task a line with Content-Type: application/x-ndjson' : '';
}
