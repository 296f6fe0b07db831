import type { Socket } from 'node:net';
import type { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import { ClosedCounter } from '../../shared/domain/refusals/closed-counter.js';
import { peerBucketOf } from '../../shared/domain/access/peer-bucket.js';
import { refusalReasons, type RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import { taskFieldRows } from '../../shared/domain/task/task-fields.js';
import { Burst, type BurstOptions } from '../../shared/logging/burst.js';
import type { LogFields } from '../../shared/logging/log-line.js';
import type { Logger } from '../../shared/logging/logger.js';
import { statusOfError } from './error-response.js';
import { reasonFor } from './reason-for.js';
import { mayHoldUrl, type RequestContext } from './request-context.js';
import { shortText } from './short-error.js';

// Object.keys forgets which names they are.
const reasonNames = Object.keys(refusalReasons) as RefusalReason[];
/** Their texts quote what the client has sent: a part of a message may be in them. */
const quotingCodes: ReadonlySet<RequestErrorCode> = new Set(['invalid_json', 'invalid_task', 'invalid_request']);
/** Their texts quote a host or the origin of a page, which an operator has to see. Neither has a path or a query. */
const namingCodes: ReadonlySet<RequestErrorCode> = new Set(['unknown_host', 'origin_refused']);
/** `there is nothing at ...` and `no task ... is known` quote a path or an id, which may be as long as a request. */
const MAX_ERROR_CHARACTERS = 300;
/** A client that sends a message in place of a task has its names complained of. Only our own names are logged. */
const taskFieldNames: ReadonlySet<string> = new Set(taskFieldRows.flatMap(({ wire, check }) => (typeof check !== 'function' && check.kind === 'destination' ? [wire, check.typeField] : [wire])));

/**
 * Logs and counts what the API refuses, so that an operator can see what a client does wrong: who, what, which code, why, by which limit, which
 * fields of a task.
 * There are at most ten lines a second about clients, five of them about one address, so that a noisy one does not hide the others; and one in ten
 * seconds about trouble of ours (5xx), which has a log line of its own. A line with the number of the others follows.
 *
 * A bug of ours is not refused: it is logged where it is found.
 */
export class RefusedRequestsLog {
  readonly #counts = new Map<RequestErrorCode, number>();
  readonly #reasons = new ClosedCounter(reasonNames);
  readonly #ofClients: Sample;
  readonly #ofTrouble: Sample;

  constructor({ info, warn }: Pick<Logger, 'info' | 'warn'>) {
    this.#ofClients = new Sample(info, { spanMs: 1_000, mostLines: 10 }, 5);
    this.#ofTrouble = new Sample(warn, { spanMs: 10_000, mostLines: 1 }, 1);
  }

  /** How many requests were refused since the start, by code. The codes are a closed list. */
  get counts(): ReadonlyMap<RequestErrorCode, number> {
    return this.#counts;
  }

  /** The same by reason, as far as access, addresses and limits are concerned. Every reason is among them, from the start. */
  get reasons(): ReadonlyMap<RefusalReason, number> {
    return this.#reasons.counts;
  }

  /** A request that was refused. */
  readonly request = (refusal: RequestError, context: RequestContext): void => {
    // Node takes the connection from a request whose end was refused. Its types do not say so.
    const socket = context.request.socket as Socket | null;
    // The access note is about the key. A request without a key is noted so and refused as such.
    if (socket !== null) this.#add(refusal, socket, reasonFor(refusal) ?? context.accessNote?.reason, () => context.logFields);
  };

  /** Bytes that are no request. */
  readonly bytes = (refusal: RequestError, socket: Socket): void => {
    this.#add(refusal, socket, reasonFor(refusal), () => ({}));
  };

  /** Writes what is counted and not yet said. */
  flush(): void {
    this.#ofClients.flush();
    this.#ofTrouble.flush();
  }

  #add(refusal: RequestError, { remoteAddress, destroyed: isGone }: Socket, reason: RefusalReason | undefined, requestFields: () => LogFields): void {
    const { code, notes } = refusal;
    // A client that is gone got no answer.
    if (code === 'internal' || isGone) return;
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    if (reason !== undefined) this.#reasons.add(reason);
    const status = statusOfError(code);
    (status >= 500 ? this.#ofTrouble : this.#ofClients).add(code, remoteAddress, () => {
      const { method, path, request_id, key_id } = requestFields();
      return {
        method,
        path,
        status,
        code,
        fields: namesOfFields(refusal),
        error: loggedText(refusal),
        remote_address: remoteAddress,
        key_id,
        why: reason === undefined ? undefined : refusalReasons[reason],
        limit: notes.limit,
        request_id,
      };
    });
  }
}

/** Some lines in full, and the number of the others by code. */
class Sample {
  readonly #counts = new Map<RequestErrorCode, number>();
  readonly #burst: Burst;
  /** Lines of each address within the span. */
  readonly #shownOf = new Map<string, number>();
  #spanEndsAt = 0;

  constructor(
    private readonly write: Logger['info'],
    private readonly limits: Pick<BurstOptions, 'spanMs' | 'mostLines'>,
    private readonly mostOfOne: number,
  ) {
    this.#burst = new Burst({ ...limits, isQuietWhileBusy: false, summarize: () => this.#summarize() });
  }

  add(code: RequestErrorCode, address: string | undefined, makeFields: () => LogFields): void {
    if (this.#hasShare(peerBucketOf(address)) && this.#burst.admits()) this.write('request refused', makeFields());
    else this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  #hasShare(peer: string): boolean {
    const now = performance.now();
    if (now >= this.#spanEndsAt) {
      this.#shownOf.clear();
      this.#spanEndsAt = now + this.limits.spanMs;
    }
    const shown = this.#shownOf.get(peer) ?? 0;
    if (shown >= this.mostOfOne) {
      this.#burst.hides();
      return false;
    }
    if (this.#shownOf.size < 1_000) this.#shownOf.set(peer, shown + 1);
    return true;
  }

  flush(): void {
    this.#burst.flush();
  }

  #summarize(): void {
    const counts = [...this.#counts].sort(([, a], [, b]) => b - a);
    this.#counts.clear();
    const count = counts.reduce((sum, [, each]) => sum + each, 0);
    this.write('more requests were refused', { count, codes: counts.map(([code, each]) => `${code} ${each}`).join(', ') });
  }
}

/** @returns undefined where a part of a message, a url or a login may stand in it: the code, and the path of the line, say enough */
function loggedText({ code, message }: RequestError): string | undefined {
  if (quotingCodes.has(code)) return undefined;
  if (namingCodes.has(code)) return message.includes('@') ? undefined : message;
  return mayHoldUrl(message) ? undefined : shortText(message, MAX_ERROR_CHARACTERS);
}

/** `max_retries,destination`: fields of a task that are complained of, without what stands in them. */
function namesOfFields({ details = [] }: RequestError): string | undefined {
  const names = new Set(details.map(({ field }) => /^\w+/.exec(field)?.[0] ?? '').filter((name) => taskFieldNames.has(name)));
  return names.size === 0 ? undefined : [...names].join(',');
}
