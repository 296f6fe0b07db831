/**
 * Under which names a send is counted.
 *
 * | send | key | endpoint | host |
 * |---|---|---|---|
 * | to `https://api.example.com/orders?x=1` | `https://api.example.com/orders` | the same | `https://api.example.com` |
 * | the same with flow_key `tenant-7` | `tenant-7` | `https://api.example.com/orders` | `https://api.example.com` |
 * | to the topic orders of KAFKA_BROKERS | `kafka://default/orders` | the same | `kafka://default` |
 * | any of "the others" of a host: see workers/flow-control/known-flows.ts | the host | the host | `https://api.example.com` |
 */
export interface Flow {
  /** What operators set limits for, pause and look at: the endpoint (origin + path, no query), the topic, or the task's flow_key. */
  readonly key: string;
  /** The endpoint or topic that it goes to; the same as `key` for a task without flow_key. */
  readonly endpoint: string;
  /** What fails as a whole: the origin or the cluster. */
  readonly host: string;
  /** It is a dead letter. Dead letters have slots, waiting lists and circuits of their own. Limits and pauses hold for both phases. */
  readonly isDead: boolean;
  /**
   * The name of the flow's waiting list: the same as `keyId`, except for the flows of `flowWithEndpoint`, which have a waiting list for
   * each endpoint.
   */
  readonly id: string;
  /**
   * One text for the key, the host and the phase: the name of the flow's slots, and of all that is learnt from its answers. Without a
   * flow_key they are those of the endpoint. What an operator sets changes the names of waiting lists, but never this one.
   */
  readonly keyId: string;
  /** The same for the host as a whole: the `id` of the flow of this phase whose key is the host. */
  readonly hostId: string;
}

/** Is it that of "the others" of a host: all whose endpoint is not known? */
export function isOfOthers({ keyId, hostId }: Pick<Flow, 'keyId' | 'hostId'>): boolean {
  return keyId === hostId;
}

/** What differs from a delivery without a flow_key. */
export interface FlowDetails {
  /** Default: the key. */
  readonly endpoint?: string;
  readonly isDead?: boolean;
}

export function flowNamed(key: string, host: string, { endpoint = key, isDead = false }: FlowDetails = {}): Flow {
  const keyId = idOf(key, host, '', isDead);
  return { key, endpoint, host, isDead, id: keyId, keyId, hostId: isDead ? idOf(host, host, '', true) : host };
}

/** The same flow in its dead phase. */
export function deadFlowOf({ key, host, endpoint }: Flow): Flow {
  return flowNamed(key, host, { endpoint, isDead: true });
}

/**
 * The flow of a flow_key's tasks to one endpoint, with an `id` that keeps both names: their waiting list can be asked for room by
 * what was set for the endpoint. Its `keyId` stays: its slots and its circuit are still those of the flow_key at the host.
 */
export function flowWithEndpoint(flow: Flow): Flow {
  return { ...flow, id: idOf(flow.key, flow.host, flow.endpoint, flow.isDead) };
}

const DEAD = 'dead';

/**
 * `key\nhost\nendpoint\ndead`, without the parts at the end that are empty. A line break divides its parts, because none can
 * hold one. Versions before this one read the first two parts. They wrote the host alone where the key was the host, and so
 * does this one: their waiting lists are those of "the others" of a host.
 */
function idOf(key: string, host: string, endpoint: string, isDead: boolean): string {
  if (isDead) return `${key}\n${host}\n${endpoint}\n${DEAD}`;
  if (endpoint !== '') return `${key}\n${host}\n${endpoint}`;
  return key === host ? key : `${key}\n${host}`;
}

/** The flow of an `id`, such as the name of a waiting list; that of a flow_key says which endpoint it goes to only by flowWithEndpoint. */
export function flowOfId(id: string): Flow {
  const [key = id, host = key, endpoint = '', phase] = id.split('\n');
  const isDead = phase === DEAD;
  const keyId = endpoint === '' ? id : idOf(key, host, '', isDead);
  return { key, endpoint: endpoint === '' ? key : endpoint, host, isDead, id, keyId, hostId: isDead ? idOf(host, host, '', true) : host };
}
