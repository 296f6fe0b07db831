import { addressMeant } from '../../shared/domain/destinations/address-meant.js';
import { complaintAboutTopic, DEFAULT_CLUSTER, KAFKA_SCHEME } from '../../shared/domain/destinations/kafka.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import { idOfKey } from '../../shared/wire/destination-id.js';
import { nearestHost } from './nearest-host.js';

/** `kafka://broker-1:9092`, `kafka://::1:9092` */
const BROKER = /^kafka:\/\/.+:[1-9]\d{0,4}$/;

/** `https://*.example.com`, `https://api.example.com/*`, `tenant-*`. A segment that is hidden is written as `*` and 32 digits. */
const PLACEHOLDER = /\*(?![0-9a-f]{32})/;

/**
 * What to tell a person who changes something for a name that nothing is sent to: it may be another one than was meant. Such a name is
 * not refused, because a flow_key may be any text.
 *
 * @param name   as canonicalName spells it
 * @param isSeen has something been sent to the name lately, or does something wait for it?
 * @param seen   such names; they are read only where no other hint is at hand
 */
export function hintForName(name: string, isSeen: (name: string) => boolean, seen: () => Iterable<string>): string | null {
  if (name === EVERYTHING || isSeen(name)) return null;
  if (PLACEHOLDER.test(name)) return `a * in a name stands for itself, and no task for ${name} has been seen lately: name a host or a cluster for all that is in it, or ${EVERYTHING} alone for every send`;
  const complaint = complaintAbout(name);
  if (complaint !== undefined) return `${complaint}: only a flow_key can be called ${name}, and no task with it has been seen lately`;
  const host = hostOfName(name);
  if (host === undefined) return hintForFlowKey(name, isSeen);
  if (host === name || !isSeen(host)) return hintForUnseenHost(name, host, seen());
  return `no task for ${name} has been seen lately, but some for ${host}: this change is about ${name} alone. To change all of ${host}, name ${host} (${idOfKey(host)})`;
}

/** Why no destination can have the name, where it begins like one. */
function complaintAbout(name: string): string | undefined {
  if (/^https?:/i.test(name)) return URL.canParse(name) ? undefined : 'this is no url that a task can be sent to';
  if (!/^kafka:/i.test(name)) return undefined;
  const host = name.startsWith(KAFKA_SCHEME) ? hostOfName(name) : undefined;
  if (host === undefined || (host !== DEFAULT_CLUSTER && !(BROKER.test(host) && Number(/\d+$/.exec(host)?.[0]) <= 65_535))) return `a cluster is called ${DEFAULT_CLUSTER} or kafka://host:port`;
  const complaint = name === host ? undefined : complaintAboutTopic(name.slice(host.length + 1));
  return complaint === undefined ? undefined : `a topic ${complaint}`;
}

/** So many names are compared with what was typed. */
const MOST_COMPARED = 1_000;

/** A change ahead of the first task is as good as any. With a mistyped host it looks done, and everything is still sent. */
function hintForUnseenHost(name: string, host: string, seen: Iterable<string>): string {
  const hosts: string[] = [];
  for (const each of seen) {
    if (hostOfName(each) === each && hosts.push(each) === MOST_COMPARED) break;
  }
  const near = nearestHost(host, hosts);
  return `no task for ${name} has been seen lately${near === undefined ? '' : `, but some for ${near}`}: this change is about ${name} alone, and holds for tasks that come`;
}

/** `api.example.com/x` -> `https://api.example.com/x`: somebody has left out the scheme. One that tasks are sent to is meant before all others. */
function hintForFlowKey(name: string, isSeen: (name: string) => boolean): string | null {
  const meant = addressMeant(name);
  if (meant === undefined || meant.scheme !== undefined || !(meant.hasMore || meant.port !== undefined || /\.[a-z]{2,}$/i.test(meant.host))) return null;
  const address = name.trim().replace(/^[\\/]+/, '');
  const likely = [`https://${address}`, ...(meant.port === undefined ? [] : [`${KAFKA_SCHEME}${address}`])];
  const known = [...likely, `http://${address}`].filter((each) => isSeen(hostOfName(each) ?? each));
  return `no task with this flow_key has been seen lately: did you mean ${(known.length > 0 ? known : likely).join(' or ')}?`;
}
