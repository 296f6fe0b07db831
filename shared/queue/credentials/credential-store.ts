import type { QueueClient } from '../engine/queue-client.js';
import type { CredentialKeys } from '../fleet-keys.js';
import { CREDENTIALS_CHANGE } from './credential-scripts.js';
import type { StoredCredentials } from './stored-credentials.js';

/** All credentials as they were at one time. */
export interface AllCredentials {
  /** Another one stands for others. */
  readonly version: string;
  /** undefined: they are those of the version that the caller knows. */
  readonly stored: readonly StoredCredentials[] | undefined;
}

/** `changed`: another call has changed it since it was read. */
export type CredentialsChange = keyof typeof CREDENTIALS_CHANGE;

/** The credentials of destinations, for all processes together. Every method fails when Redis fails. */
export class CredentialStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: CredentialKeys,
  ) {}

  /** @param knownVersion '' for none */
  async read(knownVersion = ''): Promise<AllCredentials> {
    const reply: unknown = await this.client.runCommand('krsCredentialsRead', [this.keys.credentials, this.keys.version, knownVersion]);
    // The script's own answer.
    const [version, found] = reply as [string, string[]?];
    if (found === undefined) return { version, stored: undefined };
    const stored: StoredCredentials[] = [];
    for (let at = 0; at + 1 < found.length; at += 2) stored.push(decode(found[at] ?? '', found[at + 1] ?? ''));
    return { version, stored };
  }

  async find(key: string): Promise<StoredCredentials | undefined> {
    const text: unknown = await this.client.runCommand('krsCredentialsFind', [this.keys.credentials, key]);
    return typeof text === 'string' ? decode(key, text) : undefined;
  }

  /**
   * Stores what is given, or removes what has no members, if it is still as it was read.
   * @param before undefined: there was none
   * @param most   MAX_CREDENTIALS, of which a new one has to be one
   */
  async change(before: StoredCredentials | undefined, after: StoredCredentials, most: number): Promise<CredentialsChange> {
    const isEmpty = Object.keys(after.members).length === 0;
    const reply: unknown = await this.client.runCommand('krsCredentialsChange', [this.keys.credentials, this.keys.version, after.key, before === undefined ? '' : encode(before), isEmpty ? '' : encode(after), most]);
    switch (reply) {
      case CREDENTIALS_CHANGE.done:
        return 'done';
      case CREDENTIALS_CHANGE.changed:
        return 'changed';
      case CREDENTIALS_CHANGE.tooMany:
        return 'tooMany';
      default:
        throw new TypeError(`krsCredentialsChange answered ${String(reply)}`);
    }
  }
}

function encode({ members }: StoredCredentials): string {
  return JSON.stringify(members);
}

/** Only `encode` has written it. */
function decode(key: string, text: string): StoredCredentials {
  return { key, members: JSON.parse(text) as StoredCredentials['members'] };
}
