/** The trace in which a client handed a task over: two headers of W3C Trace Context, as the client wrote them. */
export interface TraceContext {
  /** `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01` */
  readonly traceparent: string;
  /** Of vendors, such as `congo=t61rcWkgMzE`; undefined when there is none. */
  readonly tracestate: string | undefined;
}

/** What is kept of the trace in which a task was submitted. */
export interface SubmittedTrace {
  /** The client's own; undefined when the request had none. */
  readonly context: TraceContext | undefined;
  /** The API's span, as a traceparent, when the API traces. It is never sent. */
  readonly span: string | undefined;
}

/** The parts of a traceparent that a span is made of. */
export interface SpanReference {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Version 00 has just these parts. A later version may add others behind a further hyphen. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/;
/** Room for what later versions may add. It is stored with each task. */
const MOST_TRACEPARENT = 256;
/** W3C asks for at least this. What is longer is not cut, because a part of it would no longer be what the client wrote. */
const MOST_TRACESTATE = 512;
const MOST_MEMBERS = 32;
/** A key and a value; a value neither ends with a space nor has a comma or an equals sign in it. */
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const traceHeaders: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

/**
 * Reads the two headers by the rules of W3C Trace Context: a traceparent that is none makes both of them void, and a tracestate that is
 * none only itself. What is returned is what was given, unchanged, so it may be sent on.
 *
 * @param traceparent a header as it came. If it came twice, its values stand there with a comma between them, and it is void
 * @param tracestate  the same; here the comma is the rule
 * @see https://www.w3.org/TR/trace-context/
 */
export function traceContextOf(traceparent: unknown, tracestate: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MOST_TRACEPARENT) return undefined;
  const parts = TRACEPARENT.exec(traceparent);
  if (parts === null || (parts[1] === '00' && parts[5] !== undefined)) return undefined;
  return { traceparent, tracestate: typeof tracestate === 'string' && isTracestate(tracestate) ? tracestate : undefined };
}

function isTracestate(text: string): boolean {
  if (text.length > MOST_TRACESTATE) return false;
  const members = text.split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, '')).filter((member) => member !== '');
  return members.length > 0 && members.length <= MOST_MEMBERS && members.every((member) => MEMBER.test(member));
}

/** @param traceparent one that `traceContextOf` has taken */
export function spanOf({ traceparent }: Pick<TraceContext, 'traceparent'>): SpanReference {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Of a later version only the parts are kept that are known here. */
export function traceparentOf({ traceId, spanId, isSampled }: SpanReference): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/**
 * Whether a destination brings a trace of its own: then none is added, because a header that stands there twice is void for every receiver.
 * @param names of headers, in any letter case
 */
export function nameTrace(names: Iterable<string>): boolean {
  for (const name of names) if (traceHeaders.has(name.toLowerCase())) return true;
  return false;
}
