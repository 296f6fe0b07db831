/** `krs_<id>_<secret>`: the id may be shown, the secret never is. */
export interface ApiKey {
  /** 4 to 16 of a-z and 0-9. */
  readonly id: string;
  /** 64 lower-case hex digits: 32 random bytes. */
  readonly secret: string;
}

const API_KEY = /^krs_([a-z0-9]{4,16})_([0-9a-f]{64})$/;

/** @returns undefined for a text that no key can be */
export function parseApiKey(text: string): ApiKey | undefined {
  const [, id, secret] = API_KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** `{"id":"deploy01","secret":"0a..."}` -> `krs_deploy01_0a...` */
export function printApiKey({ id, secret }: ApiKey): string {
  return `krs_${id}_${secret}`;
}
