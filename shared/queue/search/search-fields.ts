import { flowOf } from '../../domain/flow/flow-key.js';
import type { Task } from '../../domain/task/task.js';
import { endpointPath } from './endpoint-path.js';

/**
 * The field `w` of a job: it repeats a few facts of its task, so that a script can filter jobs without reading their messages
 * (decision 11). The script that stores a job writes it, and it never changes: the facts it repeats never change.
 * It is a copy. Only filters and bulk deferral look at it, and a job without it is as good as one with it.
 */

/** Text before the first value. Another one means: a newer version, which this one must not take apart. */
const VERSION = '1';
/** Between two values (ASCII "unit separator"): no client can submit a control character in any of them. */
const SEPARATOR = '\x1f';
/** Each of this version has so many at least. */
const VALUES = 8;

/** What `w` says of a task. */
export interface SearchFields {
  readonly clientId: string;
  readonly source: string;
  /** A text, because a newer version may know more types than this one. */
  readonly destinationType: string;
  /**
   * Host of the destination as it was submitted, in one spelling: `https://api.example.com`, `kafka://broker-1:9092`,
   * and `kafka://default` only where no broker was named. Which brokers are the default cluster is for the reader to say:
   * API and workers may be configured differently.
   */
  readonly host: string;
  /** `/orders`; host and path together are the endpoint: see endpoint-path.ts. */
  readonly path: string;
  readonly flowKey: string | undefined;
  /** Name of its flow, as flowOf writes it without knowing the default brokers, where a flow_key has another spelling. */
  readonly flowName: string | undefined;
  /** Length of message_data, bytes of UTF-8. */
  readonly messageBytes: number;
}

export function searchFieldsOf(task: Task, messageBytes: number): SearchFields {
  const { clientId, source, destination, flowKey } = task;
  const { key, host } = flowOf(destination, flowKey);
  return {
    clientId,
    source,
    destinationType: destination.type,
    host,
    path: endpointPath(destination, host),
    flowKey,
    flowName: flowKey === undefined || key === flowKey ? undefined : key,
    messageBytes,
  };
}

/**
 * Version, then the values in the order of SearchFields. What is not there is empty. A later version may append values:
 * `ordering_key` will be the first.
 *
 * @returns undefined where a value holds a control character that would part the values wrongly: no client can submit
 *          one, but a person may have written the job
 */
export function packSearchFields({ clientId, source, destinationType, host, path, flowKey, flowName, messageBytes }: SearchFields): string | undefined {
  const values = [clientId, source, destinationType, host, path, flowKey, flowName, messageBytes];
  // join writes undefined as nothing.
  const packed = VERSION + values.join(SEPARATOR);
  return countOf(packed) === values.length - 1 ? packed : undefined;
}

/** @returns undefined for what another version has written */
export function unpackSearchFields(packed: string): SearchFields | undefined {
  if (!packed.startsWith(VERSION)) return undefined;
  const [clientId, source, destinationType, host, path, flowKey, flowName, bytes] = packed.slice(VERSION.length).split(SEPARATOR);
  if (clientId === undefined || source === undefined || destinationType === undefined || host === undefined || path === undefined || bytes === undefined) return undefined;
  return { clientId, source, destinationType, host, path, flowKey: flowKey === '' ? undefined : flowKey, flowName: flowName === '' ? undefined : flowName, messageBytes: Number(bytes) };
}

function countOf(packed: string): number {
  let count = 0;
  for (let at = packed.indexOf(SEPARATOR); at >= 0; at = packed.indexOf(SEPARATOR, at + 1)) count += 1;
  return count;
}

/**
 * The same in Lua: a function of `w` that gives {client, source, type, host, path, flow_key, flow name, message bytes},
 * texts all of them, or nil or false for what is not there or another version has written.
 */
export const unpackSearchFieldsLua = `
local function unpackSearchFields(packed)
  if not packed or string.sub(packed, 1, 1) ~= '${VERSION}' then return nil end
  local values = {}
  for value in string.gmatch(string.sub(packed, 2) .. '\\31', '([^\\31]*)\\31') do values[#values + 1] = value end
  return values[${VALUES}] and values
end
`;
