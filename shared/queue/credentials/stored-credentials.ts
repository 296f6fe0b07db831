import { credentialMemberNames, type CredentialMember, type CredentialValues, type Credentials } from '../../domain/credentials/credential-values.js';
import { keyIdOf, type SecretBox, type SecretPlace } from '../../domain/secrets/secret-box.js';

/** What is stored for one destination. */
export interface StoredCredentials {
  /** The canonical key of the destination. */
  readonly key: string;
  readonly members: { readonly [M in CredentialMember]?: StoredMember };
}

export interface StoredMember {
  /** JSON of its value, encrypted; with `isClear` as it is. */
  readonly secret: string;
  /** There was no key to encrypt it with. */
  readonly isClear?: true;
  /** What may be shown of it. */
  readonly shown: object;
  /** ms since the epoch. */
  readonly updatedAt: number;
}

function placeOf(key: string, member: CredentialMember): SecretPlace {
  return ['credentials', key, member];
}

export function sealMember<M extends CredentialMember>(key: string, member: M, value: CredentialValues[M], box: SecretBox): Pick<StoredMember, 'secret' | 'isClear'> {
  const text = JSON.stringify(value);
  return box.hasKeys ? { secret: box.seal(text, placeOf(key, member)) } : { secret: text, isClear: true };
}

/** @throws SealedTextError */
export function openMember<M extends CredentialMember>({ key, members }: StoredCredentials, member: M, box: SecretBox): CredentialValues[M] | undefined {
  const stored = members[member];
  if (stored === undefined) return undefined;
  // sealMember wrote it, as the key has shown.
  return JSON.parse(stored.isClear === true ? stored.secret : box.open(stored.secret, placeOf(key, member))) as CredentialValues[M];
}

/** @throws SealedTextError */
export function openAll(stored: StoredCredentials, box: SecretBox): Credentials {
  return Object.fromEntries(membersOf(stored).map((member) => [member, openMember(stored, member, box)]));
}

export function membersOf({ members }: StoredCredentials): readonly CredentialMember[] {
  return credentialMemberNames.filter((member) => members[member] !== undefined);
}

/** When any of it was set last, ms since the epoch. */
export function lastSetAt({ members }: StoredCredentials): number {
  return Math.max(0, ...credentialMemberNames.map((member) => members[member]?.updatedAt ?? 0));
}

/** Ids of the keys that have encrypted it; undefined for a member that is stored as it is. */
export function keyIdsOf(stored: StoredCredentials): readonly (string | undefined)[] {
  return membersOf(stored).map((member) => {
    const found = stored.members[member];
    return found === undefined || found.isClear === true ? undefined : keyIdOf(found.secret);
  });
}

/** The same with each member under the newest key. @throws SealedTextError */
export function sealedAnew(stored: StoredCredentials, box: SecretBox): StoredCredentials {
  return resealed(stored, stored.key, box);
}

/** The same for the place of another key: what is encrypted is bound to its place. @throws SealedTextError */
export function resealed(stored: StoredCredentials, key: string, box: SecretBox): StoredCredentials {
  const members: { [M in CredentialMember]?: StoredMember } = {};
  for (const member of membersOf(stored)) {
    const [found, value] = [stored.members[member], openMember(stored, member, box)];
    if (found === undefined || value === undefined) continue;
    const { shown, updatedAt } = found;
    members[member] = { ...sealMember(key, member, value, box), shown, updatedAt };
  }
  return { key, members };
}
