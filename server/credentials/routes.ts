import { randomBytes } from 'node:crypto';
import type { CallerLimits } from '../../shared/config/config.js';
import type { AddressGuard } from '../../shared/addresses/address-guard.js';
import { complaintAboutTogether, credentialMemberNames, type CredentialMember, type CredentialValues, type SigningSecrets } from '../../shared/domain/credentials/credential-values.js';
import { httpType } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import type { SettingsInForce } from '../../shared/domain/flow/worker-facts.js';
import type { Clock } from '../../shared/domain/ports.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { newSigningSecret, signerOf } from '../../shared/domain/secrets/webhook-signature.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { FieldValues } from '../../shared/queue/audit/field-hashes.js';
import { membersOf, openMember, sealMember, type StoredCredentials, type StoredMember } from '../../shared/queue/credentials/stored-credentials.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { parseKey } from '../flow/destination-key.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { orSayMissing } from '../flow/or-away.js';
import { jsonAnswer } from '../http/answer.js';
import { askedChange, MAX_CHANGE_BYTES, readAskedChange } from '../http/asked-change.js';
import { readJsonBody } from '../http/json-body.js';
import { performed } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { addressNotes } from '../tasks/destination-check.js';
import { secretsNotConfigured } from '../tasks/secrets-check.js';
import { parseCredentialChange, refuseCredentials, type CredentialChange, type SigningChange } from './schema.js';
import { shownOf, toWireCredentials } from './view.js';

export interface CredentialParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting' | 'fleet'>;
  readonly fleetSettings: Pick<FleetSettings, 'view' | 'inForce'>;
  readonly mask: PathMask;
  readonly callerLimits: Pick<CallerLimits, 'credentials'>;
  readonly secrets: SecretBox;
  /** false: there is no key, and in prod nothing secret is stored without one. */
  readonly mayStoreSecrets: boolean;
  /** It judges the address of a token server. */
  readonly addressGuard: Pick<AddressGuard, 'refusalOf'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Another call may change the same credentials between our look and our change; give up after this. */
const MAX_ROUNDS = 5;
const path = '/destinations/:key/credentials';

/** What is sent to prove who we are, by destination. No answer shows a secret, but for the one that makes a signing secret. */
export const credentialRoutes: readonly Route<CredentialParts>[] = [
  {
    method: 'GET',
    path,
    role: 'admin',
    body: 'none',
    query: [],
    operationId: 'readCredentials',
    metricLabel: path,
    handle: async (context, parts) => {
      const { name } = destinationIn(context, parts, await parts.fleetSettings.inForce());
      return jsonAnswer(200, toWireCredentials(await stored(parts, name), parts.clock()));
    },
  },
  {
    method: 'PATCH',
    path,
    role: 'admin',
    body: 'json',
    query: ['reason'],
    operationId: 'changeCredentials',
    metricLabel: path,
    handle: async (context, parts) => {
      const body = await readJsonBody(context, MAX_CHANGE_BYTES);
      const { name, kind } = destinationIn(context, parts, await parts.fleetSettings.view());
      const { change, reason } = parseCredentialChange(body, kind);
      const asked = askedChange(context, reason);
      if (!parts.mayStoreSecrets && Object.values(change).some((value) => value !== null)) throw secretsNotConfigured('the credentials of a destination cannot be stored: this deployment has no key to encrypt secrets with');
      checkTokenServer(change, parts);
      return performed(context, parts, { action: 'destination.credentials', target: { type: 'destination', id: name }, asked }, async () => {
        const made = await changed(parts, name, (before) => apply(before, change, parts));
        return { result: jsonAnswer(200, toWireCredentials(made.after, parts.clock(), made.newSecret)), fields: { before: fieldsOf(made.before, parts.secrets), after: fieldsOf(made.after, parts.secrets) } };
      });
    },
  },
  {
    method: 'DELETE',
    path,
    role: 'admin',
    body: 'none',
    query: ['reason'],
    operationId: 'deleteCredentials',
    metricLabel: path,
    handle: async (context, parts) => {
      const asked = readAskedChange(context);
      const { name } = destinationIn(context, parts, await parts.fleetSettings.view());
      return performed(context, parts, { action: 'destination.credentials', target: { type: 'destination', id: name }, asked }, async () => {
        const { before, after } = await changed(parts, name, () => ({ members: {} }));
        return { result: jsonAnswer(200, toWireCredentials(after, parts.clock())), fields: { before: fieldsOf(before, parts.secrets), after: {} }, isUnchanged: before === undefined };
      });
    },
  },
];

/**
 * @param settings of a change: those that the workers have now. Credentials under another name would not be sent
 * @throws RequestError invalid_request for a name that goes to no place of its own
 */
function destinationIn(context: RequestContext, { mask }: CredentialParts, { defaultBrokers }: Pick<SettingsInForce, 'defaultBrokers'>): { readonly name: string; readonly kind: 'http' | 'kafka' } {
  const name = parseKey(context.param('key'), { defaultBrokers, mask });
  const host = hostOfName(name);
  if (host !== undefined) return { name, kind: /^https?:/.test(host) ? 'http' : 'kafka' };
  const message = 'key must be a host, an endpoint, a cluster or a topic: a flow_key, or *, goes to no place of its own, so it has no credentials';
  throw new RequestError('invalid_request', message, [{ field: 'key', message }]);
}

async function stored({ queue }: CredentialParts, name: string): Promise<StoredCredentials> {
  return (await orSayMissing('credentials', queue.fleet.withCredentials((store) => store.find(name)))) ?? { key: name, members: {} };
}

/** @throws RequestError invalid_request */
function checkTokenServer({ oauth2 }: CredentialChange, { addressGuard }: CredentialParts): void {
  if (oauth2 === undefined || oauth2 === null) return;
  const dialed = httpType.dials({ type: 'http', url: oauth2.token_url }, new Set());
  const refusal = dialed === undefined ? undefined : addressGuard.refusalOf(dialed.host, dialed.port);
  if (refusal !== undefined) throw refuseCredentials([{ field: 'oauth2.token_url', message: `oauth2.token_url must not be asked: ${refusal.message}` }], addressNotes);
}

interface Applied {
  readonly members: StoredCredentials['members'];
  readonly newSecret?: string;
}

/** @throws RequestError invalid_request, task_unreadable */
function apply(before: StoredCredentials, change: CredentialChange, { secrets, mask, clock }: CredentialParts): Applied {
  const now = clock();
  const removed = new Set<CredentialMember>();
  const members: { [M in CredentialMember]?: StoredMember } = { ...before.members };
  const put = <M extends CredentialMember>(member: M, value: CredentialValues[M]): void => {
    members[member] = { ...sealMember(before.key, member, value, secrets), shown: shownOf[member](value, mask), updatedAt: now };
  };
  let newSecret: string | undefined;
  for (const member of credentialMemberNames) {
    const value = change[member];
    if (value === undefined) continue;
    if (value === null) removed.add(member);
    else if (member === 'signing') {
      // By its name.
      const signing = signingAfter(openSigning(before, secrets), value as SigningChange, now);
      newSecret = signing.newSecret;
      put(member, signing.value);
      // `parseCredentialChange` has made each of its type.
    } else put(member, value as never);
  }
  const kept: StoredCredentials['members'] = Object.fromEntries(membersOf({ key: before.key, members }).filter((member) => !removed.has(member)).map((member) => [member, members[member]]));
  const complaint = complaintAboutTogether(membersOf({ key: before.key, members: kept }), kept.headers === undefined ? [] : namesOf(kept.headers));
  if (complaint !== undefined) throw refuseCredentials([{ field: '', message: complaint }]);
  return { members: kept, ...(newSecret === undefined ? {} : { newSecret }) };
}

function namesOf({ shown }: StoredMember): readonly string[] {
  // `shownOf` wrote it.
  return (shown as { readonly names: readonly string[] }).names;
}

/** Two secrets at most: one that was replaced before ends now. Each rotation counts its overlap from now. */
function signingAfter(before: SigningSecrets | undefined, change: SigningChange, now: number): { readonly value: SigningSecrets; readonly newSecret?: string } {
  if ('secret' in change) return { value: { secret: change.secret, previous: null } };
  const { rotate: { overlapMs }, algorithm = (before === undefined ? undefined : signerOf(before.secret)?.algorithm) ?? 'v1' } = change;
  const newSecret = newSigningSecret(algorithm, randomBytes);
  const previous = before === undefined || overlapMs === 0 ? null : { secret: before.secret, until: now + overlapMs };
  return { value: { secret: newSecret, previous }, newSecret };
}

function openSigning(before: StoredCredentials, secrets: SecretBox): SigningSecrets | undefined {
  try {
    return openMember(before, 'signing', secrets);
  } catch (error) {
    if (error instanceof SealedTextError) throw new RequestError('conflict', `the signing secret that is stored cannot be decrypted, so it cannot sign beside a new one: ${error.message}. Remove it first`, undefined, { cause: error });
    throw error;
  }
}

/** @throws RequestError */
async function changed({ queue, callerLimits }: CredentialParts, name: string, make: (before: StoredCredentials) => Applied): Promise<{ readonly before: StoredCredentials | undefined; readonly after: StoredCredentials; readonly newSecret?: string }> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const before = await queue.fleet.withCredentials((store) => store.find(name));
    const { members, newSecret } = make(before ?? { key: name, members: {} });
    const after = { key: name, members };
    const change = await queue.fleet.withCredentials((store) => store.change(before, after, callerLimits.credentials));
    if (change === 'done') return { before, after, ...(newSecret === undefined ? {} : { newSecret }) };
    if (change === 'tooMany') throw new RequestError('invalid_request', `${callerLimits.credentials} destinations have credentials already: store them for hosts, or delete some that are not used`, undefined, { notes: { limit: 'MAX_CREDENTIALS' } });
  }
  throw new RequestError('redis_unavailable', 'the credentials were changed again and again by others');
}

/** For the audit, which keeps keyed hashes of what differs. What cannot be decrypted has none. */
function fieldsOf(credentials: StoredCredentials | undefined, secrets: SecretBox): FieldValues {
  if (credentials === undefined) return {};
  const fields: Record<string, unknown> = {};
  for (const member of membersOf(credentials)) {
    try {
      for (const [name, value] of Object.entries(openMember(credentials, member, secrets) ?? {})) fields[`${member}.${name}`] = value;
    } catch (error) {
      if (!(error instanceof SealedTextError)) throw error;
    }
  }
  return fields;
}
