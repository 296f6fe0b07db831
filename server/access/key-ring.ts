import { hash, timingSafeEqual } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseApiKey, type ApiKey } from '../../shared/domain/access/api-key.js';
import type { Caller } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { StoredKeys } from '../../shared/queue/access/key-store.js';
import type { StoredKey } from '../../shared/queue/access/stored-key.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';
import { orSayMissing } from '../flow/or-away.js';

/** How often Redis is asked whether keys have changed, ms. */
const LOOK_EVERY_MS = 250;
/** What is known of keys is believed for so long, ms. A key that was revoked has to stop within a second in every process. */
const BELIEVED_FOR_MS = 800;
/** The marks are asked whether keys have changed when the master of the keys has not answered for so long, ms. */
export const MARKS_AFTER_MS = 150;
const MINUTE_MS = 60_000;
/** It is compared with where no key has the id, so that the time of the answer does not tell which ids there are. */
const NO_HASH = Buffer.alloc(32);

/** Why a text is no key that holds. Only the log says it. */
export type KeyFault = 'malformed' | 'unknown' | 'wrong secret' | 'expired';

export type KeyVerdict = { readonly caller: Caller } | { readonly fault: KeyFault; readonly keyId: string | undefined };

/** A key by the SHA-256 of its secret, as its sessions know it. */
export interface HashedKey {
  readonly id: string;
  readonly secretHash: Buffer;
}

export interface KeyRingOptions {
  readonly fleet: Pick<FleetStores, 'withKeys' | 'keyMarks'>;
  /** BOOTSTRAP_API_KEY: an admin key that is stored nowhere. */
  readonly bootstrapKey: ApiKey | undefined;
  readonly clock: Clock;
  /** It is told once how many keys are stored, as soon as Redis has answered. */
  readonly onFirstRead: (count: number) => void;
  /** It is told the keys when they have changed, and at the first time. */
  readonly onChange?: (keys: ReadonlyMap<string, StoredKey>, version: string) => void;
  /** It is told, with each answer, which version of the sessions that have ended there is: a process has to hear of those as soon as of keys. */
  readonly onSessionVersion?: (version: string) => void;
  /** It is told when less than half of the marks could be told of a change that this process has made. */
  readonly onUntold?: () => void;
}

/**
 * The access keys that this process knows. It asks Redis four times a second whether they have changed, so a request needs no call of
 * Redis. What is known has an age: while Redis does not answer, keys are refused with 503 after 0.8 s, since one of them may have been
 * revoked. On a cluster more than half of the marks can say instead of their master that none has changed (version-marks.ts). The bootstrap key
 * does not need Redis.
 */
export class KeyRing {
  readonly #bootstrap: StoredKey | undefined;
  #keys: ReadonlyMap<string, StoredKey> = new Map();
  #version = '';
  /**
   * Keys that were right, by their whole text, as long as no key has changed: so the same one is not hashed for every submission. There are
   * no more of them than stored secrets. A Map compares texts only where their hashes are equal, and these have a seed of the process: no time tells
   * how much of a text is right.
   */
  readonly #right = new Map<string, { readonly caller: Caller }>();
  /** When the newest answer of Redis was asked for, monotonic ms. */
  #confirmedAt = -Infinity;
  /** When the newest answer of the master of the keys was asked for. */
  #learntFrom = -Infinity;
  #reading: Promise<void> | undefined;
  #uses = new Map<string, number>();
  /** The minute of the last use of each key that this process has noted already. */
  readonly #notedMinutes = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(private readonly options: KeyRingOptions) {
    const { bootstrapKey } = options;
    this.#bootstrap = bootstrapKey === undefined ? undefined : asStored(bootstrapKey);
  }

  /** Whether the stored keys were read once. Until then all of them are refused; that of BOOTSTRAP_API_KEY holds. */
  get wasRead(): boolean {
    return this.#version !== '';
  }

  /** Looks at once, and then at regular times. Called again: looks at once. */
  start(): void {
    if (this.#isStopped) return;
    void this.#look().catch(() => undefined);
    // The next look tries again, and a request that needs the keys meanwhile gets the failure.
    this.#timer ??= setInterval(() => void this.#look().catch(() => undefined), LOOK_EVERY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /**
   * Judges a key. It waits for Redis only where what is known is too old.
   * @param text what stands behind `Bearer`
   * @param now  monotonic ms
   * @throws RequestError redis_unavailable, as a rejection
   */
  judge(text: string, now: number): KeyVerdict | Promise<KeyVerdict> {
    const right = this.#right.get(text);
    if (right !== undefined && this.#isConfirmedAt(now) && this.#stillHolds(right.caller)) return right;
    const key = parseApiKey(text);
    if (key === undefined) return { fault: 'malformed', keyId: undefined };
    const verdict = this.judgeHashed({ id: key.id, secretHash: hash('sha256', key.secret, 'buffer') });
    if ('caller' in verdict) this.#right.set(text, verdict);
    return verdict;
  }

  /** The same for a key whose secret was right once: a session ends with the secret that it was started with. @throws as judge */
  judgeHashed(key: HashedKey): KeyVerdict | Promise<KeyVerdict> {
    if (this.#bootstrap !== undefined && key.id === this.#bootstrap.id) return this.#verdictOn(key, this.#bootstrap);
    if (this.#isConfirmedAt(performance.now())) return this.#verdictOn(key, this.#keys.get(key.id));
    return this.#judgeAnew(key);
  }

  /** This process has changed a key. It resolves when every process finds that out within a second; it never rejects. @param version of the keys since then */
  async changed(version: string): Promise<void> {
    await Promise.all([this.#readAnew(), this.#tellMarks(version)]);
  }

  /** The change is made. Where this process cannot read it now, it reads it before the next key is judged. */
  async #readAnew(): Promise<void> {
    // A look that is under way may have been answered before the change.
    await this.#reading?.catch(() => undefined);
    await this.#read().catch(() => undefined);
  }

  /** It never rejects. */
  async #tellMarks(version: string): Promise<void> {
    let isTold = false;
    try {
      isTold = (await this.options.fleet.keyMarks()?.tell(version)) ?? true;
    } catch {
      // The shards are closed, as the process stops: the marks were not told.
    }
    if (!isTold) this.options.onUntold?.();
  }

  async #judgeAnew(key: HashedKey): Promise<KeyVerdict> {
    // Without a key nobody sees /status.
    await orSayMissing('which access keys hold', this.#read(), '/readyz');
    // The read itself may have taken long: its answer is as old as its question.
    if (performance.now() - this.#confirmedAt >= 2 * BELIEVED_FOR_MS) throw new RequestError('redis_unavailable', 'redis connection failed');
    return this.#verdictOn(key, this.#keys.get(key.id));
  }

  #verdictOn({ id, secretHash: given }: HashedKey, stored: StoredKey | undefined): KeyVerdict {
    const now = this.options.clock();
    const previous = stored?.previous ?? undefined;
    const isRight = timingSafeEqual(given, stored === undefined ? NO_HASH : Buffer.from(stored.secretHash, 'hex'));
    const isPrevious = timingSafeEqual(given, previous === undefined ? NO_HASH : Buffer.from(previous.secretHash, 'hex'));
    if (stored === undefined) return { fault: 'unknown', keyId: id };
    if (!isRight && !(isPrevious && now < (previous?.until ?? 0))) return { fault: isPrevious ? 'expired' : 'wrong secret', keyId: id };
    if (stored.expiresAt !== null && now >= stored.expiresAt) return { fault: 'expired', keyId: id };
    if (stored !== this.#bootstrap) this.#noteUse(id, now);
    return { caller: callerOf(stored, isRight ? null : (previous?.until ?? null)) };
  }

  #isConfirmedAt(now: number): boolean {
    return now - this.#confirmedAt < BELIEVED_FOR_MS;
  }

  /** Of a caller that was right when these keys were read; the use is noted as for any other. */
  #stillHolds({ id, endsAt }: Caller): boolean {
    const now = this.options.clock();
    if (endsAt !== null && now >= endsAt) return false;
    if (id !== null && id !== this.#bootstrap?.id) this.#noteUse(id, now);
    return true;
  }

  #noteUse(id: string, now: number): void {
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    if (this.#notedMinutes.get(id) === minute) return;
    this.#notedMinutes.set(id, minute);
    this.#uses.set(id, minute);
  }

  async #look(): Promise<void> {
    await this.#read();
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    await this.options.fleet.withKeys((store) => store.noteUses(uses));
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** An answer that comes after the marks have said that nothing has changed is learned all the same. */
  async #readOnce(): Promise<void> {
    const askedAt = performance.now();
    const learned = this.options.fleet.withKeys((store) => store.read(this.#version)).then((stored) => { this.#learn(stored, askedAt); });
    try {
      await Promise.any([learned, this.#confirmByMarks(learned)]);
    } catch {
      // Both have failed. Why the keys cannot be read says more than that the marks do not know either.
      await learned;
    }
  }

  /** Several questions may be under way, and a master that was deposed may answer an older one last. */
  #learn({ version, keys, sessionVersion }: StoredKeys, askedAt: number): void {
    // It only grows, so the order does not matter.
    this.options.onSessionVersion?.(sessionVersion);
    if (askedAt < this.#learntFrom || (keys === undefined && version !== this.#version)) return;
    this.#learntFrom = askedAt;
    const isFirst = this.#version === '';
    if (keys !== undefined) {
      this.#keys = keys;
      this.#right.clear();
      this.options.onChange?.(keys, version);
      // Whoever has made the change may have ended before the marks knew of it.
      if (!isFirst) void this.#tellMarks(version);
    }
    this.#version = version;
    this.#confirmedAt = Math.max(this.#confirmedAt, askedAt);
    if (isFirst) this.options.onFirstRead(this.#keys.size);
  }

  /** Asks the marks where the master does not answer in time. @throws Error, as a rejection, unless the keys are still those that are known */
  async #confirmByMarks(learned: Promise<void>): Promise<void> {
    const isLearned = await Promise.race([learned.then(() => true, () => false), wait(MARKS_AFTER_MS, false, { ref: false })]);
    if (isLearned) return;
    const askedAt = performance.now();
    const version = this.#version;
    const isNewest = version !== '' && (await this.options.fleet.keyMarks()?.isNewest(version)) === true;
    // The master may have told of other keys meanwhile, or of the same ones a moment later.
    if (!isNewest || version !== this.#version) throw new Error('the marks do not say that no key has changed');
    this.#confirmedAt = Math.max(this.#confirmedAt, askedAt);
  }
}

function asStored({ id, secret }: ApiKey): StoredKey {
  const createdBy = { type: 'service', id: null, name: null, operator: null } as const;
  return { id, name: 'BOOTSTRAP_API_KEY', role: 'admin', permissions: [], clientIds: null, secretHash: hash('sha256', secret, 'hex'), previous: null, sealSecret: '', expiresAt: null, createdAt: 0, createdBy };
}

/** @param until when the secret that was given ends, if it is the one before the last rotation */
function callerOf({ id, name, role, permissions, clientIds, sealSecret, expiresAt, rateLimit }: StoredKey, until: number | null): Caller {
  const perSecond = rateLimit ?? undefined;
  const endsAt = until === null || expiresAt === null ? (until ?? expiresAt) : Math.min(until, expiresAt);
  return { type: 'key', id, name, role, permissions, clientIds: clientIds ?? undefined, sealSecret: clientIds === null ? undefined : sealSecret, endsAt, ...(perSecond === undefined ? {} : { rateLimit: { keyId: id, perSecond } }) };
}
