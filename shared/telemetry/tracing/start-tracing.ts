import type { TracedProcess, Tracing, TracingSettings } from './tracing.js';

/** Where the API of OpenTelemetry keeps what was registered in this process, whichever copy of it did. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * Starts to trace. Nothing of OpenTelemetry is loaded unless it is wanted, or an APM that was loaded before us (`node --require`,
 * `--import`) has registered a provider: then that one is used, and no second one is made.
 * @returns undefined: nothing is traced, because nobody wants it or the SDK does not start
 */
export async function startTracing(settings: TracingSettings, process: TracedProcess): Promise<Tracing | undefined> {
  const isRegistered = hasProvider();
  if (settings.isOff || (!settings.isWanted && !isRegistered)) return undefined;
  // These imports are not static, because loading them takes time and memory of every process that does not trace.
  const { OtelTracing } = await import('./otel-tracing.js');
  if (isRegistered) return new OtelTracing(process.version, undefined);
  const { startSdk } = await import('./otel-sdk.js');
  try {
    return new OtelTracing(process.version, startSdk(settings, process));
  } catch {
    // The error may quote a header with a key. Tasks are delivered without traces, too.
    process.onTrouble('the SDK of OpenTelemetry does not start with these OTEL_ variables: nothing is traced');
    return undefined;
  }
}

function hasProvider(): boolean {
  const registered: unknown = Reflect.get(globalThis, REGISTERED);
  return typeof registered === 'object' && registered !== null && 'trace' in registered;
}
