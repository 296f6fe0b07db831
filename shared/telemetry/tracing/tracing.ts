import type { ShownPhase } from '../../domain/task/shown-phase.js';
import type { SubmittedTrace, TraceContext } from '../../domain/trace-context.js';

/**
 * Makes spans of what this process does. Where nothing is traced there is none of these, and nothing of OpenTelemetry is loaded: callers ask
 * once whether there is one.
 */
export interface Tracing {
  beginRequest(request: TracedRequest): RequestSpan;
  beginAttempt(attempt: TracedAttempt): AttemptSpan;
  /** Sends the spans that have ended. It never fails, and takes no longer than this, ms: a collector that is away delays no stop. */
  stop(limitMs: number): Promise<void>;
}

/** A request to the API, without anything secret. */
export interface TracedRequest {
  readonly method: string;
  /** Of the route table, such as `/tasks/:id`. */
  readonly route: string;
  readonly path: string;
  readonly trace: TraceContext | undefined;
}

export interface RequestSpan {
  /** The tasks that it brings are handed over, as one message or as a batch. */
  beginSubmission(): SubmissionSpan;
  /** @param status undefined: the client went away before an answer began */
  end(status: number | undefined): void;
}

export interface SubmissionSpan {
  /** Stored with each task, so that its attempts point to it. undefined when it is not recorded. */
  readonly traceparent: string | undefined;
  /** @param tasks the id of the one that came alone, or the number of tasks of a batch. @param failure a code of errors.ts */
  end(tasks: string | number | undefined, failure?: string): void;
}

/** One attempt. */
export interface TracedAttempt {
  readonly taskId: string;
  readonly clientId: string;
  readonly run: number;
  readonly phase: ShownPhase;
  /** From 0. */
  readonly attempt: number;
  readonly isHttp: boolean;
  /** Of an HTTP request. */
  readonly method: string;
  /** Key of the destination, without secrets: `https://api.example.com/orders`, `kafka://default/orders`. */
  readonly endpoint: string;
  /** The same for its host or cluster. */
  readonly host: string;
  readonly messageBytes: number;
  readonly submitted: SubmittedTrace | undefined;
}

export interface AttemptSpan {
  /** 32 hex digits; undefined when it is not recorded. */
  readonly traceId: string | undefined;
  /** What goes out with a task that came in no trace; undefined when it is not recorded. */
  readonly context: TraceContext | undefined;
  /** Sends. No other instrumentation adds a header of its own meanwhile: two of them would be void for the receiver. */
  send<T>(work: () => T): T;
  /** @param sent undefined when nothing was sent. @param outcome the decision */
  end(sent: SentFacts | undefined, outcome: string): void;
}

/** What came of a send. */
export interface SentFacts {
  /** undefined when it has arrived. */
  readonly errorCode: string | undefined;
  readonly httpStatus: number | undefined;
  readonly partition: number | undefined;
  readonly offset: string | undefined;
}

/** Of the standard variables of OpenTelemetry those by which it is decided whether, and how, spans are sent. */
export interface TracingSettings {
  /** OTEL_SDK_DISABLED, or OTEL_TRACES_EXPORTER=none. */
  readonly isOff: boolean;
  /** An endpoint or an exporter is named. */
  readonly isWanted: boolean;
  readonly exporter: 'otlp' | 'console';
  readonly protocol: 'http/protobuf' | 'http/json' | 'grpc';
  /** Values of the headers that go to the collector. */
  readonly secretTexts: readonly string[];
}

export interface TracedProcess {
  readonly version: string;
  readonly role: 'api' | 'worker';
  /** Unique in the fleet. */
  readonly instance: string;
  /** Spans are lost. It is called once a minute at most. */
  readonly onTrouble: (message: string) => void;
}
