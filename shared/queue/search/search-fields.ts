import { rowOf } from '../../domain/destinations/destination.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import { flowOf } from '../../domain/flow/flow-key.js';
import type { Task } from '../../domain/task/task.js';

/**
 * The field `w` of a job: it repeats a few facts of its task, so that a script can filter jobs without reading their messages
 * (decision 11). The script that stores a job writes it, and the one that changes a task writes it anew.
 * It is a copy. Only filters and bulk deferral look at it, and a job without it works like one with it.
 */

/** The text before the first value. Another one means a newer version, which this version must not read. */
export const SEARCH_FIELDS_VERSION = '1';
/** The character between two values (ASCII "unit separator"): no client can submit a control character in any of them. */
export const SEARCH_FIELDS_SEPARATOR = '\x1f';
/** The fields of this version have at least this many values. */
const VALUES = 8;

/** The facts about a task in `w`. */
export interface SearchFields {
  readonly clientId: string;
  readonly source: string;
  /** A text, because a newer version may know more types than this one. */
  readonly destinationType: string;
  /**
   * Host of the destination as it was submitted, in one spelling: `https://api.example.com`, `kafka://broker-1:9092`. It
   * is `kafka://default` only if no broker was named. The reader decides which brokers are the default cluster, because
   * API and workers may be configured differently.
   */
  readonly host: string;
  /** `/orders`; host and path together are the endpoint: see path-mask.ts. */
  readonly path: string;
  readonly flowKey: string | undefined;
  /** The name of its flow, as flowOf writes it without the default brokers, if a flow_key has another spelling. */
  readonly flowName: string | undefined;
  /** The length of message_data, bytes of UTF-8. */
  readonly messageBytes: number;
}

export function searchFieldsOf(task: Task, messageBytes: number, mask: PathMask): SearchFields {
  const { clientId, source, destination, flowKey } = task;
  const { key, host } = flowOf(destination, flowKey, undefined, mask);
  return {
    clientId,
    source,
    destinationType: destination.type,
    host,
    path: rowOf(destination.type).endpointPath(destination, mask),
    flowKey,
    flowName: flowKey === undefined || key === flowKey ? undefined : key,
    messageBytes,
  };
}

/**
 * The version, then the values in the order of SearchFields. A missing value is empty. A later version may append values:
 * `ordering_key` will be the first. None of them may be digits alone: a search takes a last value of digits for the bytes of the message.
 *
 * @returns undefined where a value holds a control character that would part the values wrongly: no client can submit
 *          one, but a person may have written the job
 */
export function packSearchFields({ clientId, source, destinationType, host, path, flowKey, flowName, messageBytes }: SearchFields): string | undefined {
  const values = [clientId, source, destinationType, host, path, flowKey, flowName, messageBytes];
  // join writes undefined as nothing.
  const packed = SEARCH_FIELDS_VERSION + values.join(SEARCH_FIELDS_SEPARATOR);
  return countOf(packed) === values.length - 1 ? packed : undefined;
}

/** @returns undefined for a text that another version has written */
export function unpackSearchFields(packed: string): SearchFields | undefined {
  if (!packed.startsWith(SEARCH_FIELDS_VERSION)) return undefined;
  const [clientId, source, destinationType, host, path, flowKey, flowName, bytes] = packed.slice(SEARCH_FIELDS_VERSION.length).split(SEARCH_FIELDS_SEPARATOR);
  if (clientId === undefined || source === undefined || destinationType === undefined || host === undefined || path === undefined || bytes === undefined) return undefined;
  return { clientId, source, destinationType, host, path, flowKey: flowKey === '' ? undefined : flowKey, flowName: flowName === '' ? undefined : flowName, messageBytes: Number(bytes) };
}

function countOf(packed: string): number {
  let count = 0;
  for (let at = packed.indexOf(SEARCH_FIELDS_SEPARATOR); at >= 0; at = packed.indexOf(SEARCH_FIELDS_SEPARATOR, at + 1)) count += 1;
  return count;
}

/**
 * The same in Lua: a function of `w` that gives {client, source, type, host, path, flow_key, flow name, message bytes},
 * texts all of them, or nil or false for what is not there or another version has written.
 */
export const unpackSearchFieldsLua = `
local function unpackSearchFields(packed)
  if not packed or string.sub(packed, 1, 1) ~= '${SEARCH_FIELDS_VERSION}' then return nil end
  local values = {}
  for value in string.gmatch(string.sub(packed, 2) .. '\\31', '([^\\31]*)\\31') do values[#values + 1] = value end
  return values[${VALUES}] and values
end
`;
