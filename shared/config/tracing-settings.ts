/** How spans are sent; the same shape as TracingSettings of shared/telemetry/tracing/tracing.ts. */
export interface TracingConfig {
  readonly isOff: boolean;
  readonly isWanted: boolean;
  readonly exporter: 'otlp' | 'console';
  readonly protocol: Protocol;
  /** Variables that the SDK reads by itself, and that were given as files: it knows of none. */
  readonly fromFiles: Readonly<Record<string, string>>;
  /** Values of the headers that go to the collector, whole and in words: what must not be logged. */
  readonly secretTexts: readonly string[];
}

const protocols = ['http/protobuf', 'http/json', 'grpc'] as const;
type Protocol = (typeof protocols)[number];
const exporters = ['otlp', 'console'] as const;

interface Values {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: string | undefined;
  readonly OTEL_EXPORTER_OTLP_HEADERS: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_HEADERS: string | undefined;
  readonly OTEL_EXPORTER_OTLP_PROTOCOL: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: string | undefined;
  readonly OTEL_TRACES_EXPORTER: string | undefined;
  readonly OTEL_SDK_DISABLED: string | undefined;
}

/**
 * By the rules of OpenTelemetry a value that is not known is warned of, and ends no process.
 * @param env says what was set, and by a variable of its own
 */
export function tracingConfig(values: Values, env: Readonly<Record<string, string | undefined>>): TracingConfig {
  const exporter = values.OTEL_TRACES_EXPORTER ?? 'otlp';
  const isNamed = (env['OTEL_TRACES_EXPORTER'] ?? '') !== '';
  const known = exporters.find((each) => each === exporter);
  return {
    isOff: values.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || known === undefined,
    isWanted: isNamed || (values.OTEL_EXPORTER_OTLP_ENDPOINT ?? values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) !== undefined,
    exporter: known ?? 'otlp',
    protocol: protocols.find((each) => each === protocolOf(values)) ?? 'http/protobuf',
    fromFiles: Object.fromEntries((['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const).flatMap((name) => (values[name] === undefined || (env[name] ?? '') !== '' ? [] : [[name, values[name]]]))),
    secretTexts: [values.OTEL_EXPORTER_OTLP_HEADERS, values.OTEL_EXPORTER_OTLP_TRACES_HEADERS].flatMap(headerValues),
  };
}

/** Shorter words than a secret has are the scheme of a login, such as `Bearer`. */
const SECRET_FROM_CHARACTERS = 8;

/** @param headers `api-key=abc,authorization=Bearer%20abc` */
function headerValues(headers = ''): string[] {
  return headers.split(',').flatMap((pair) => {
    const raw = pair.slice(pair.indexOf('=') + 1).trim();
    const value = decoded(raw);
    return [raw, value, ...value.split(/\s+/)].filter(({ length }) => length >= SECRET_FROM_CHARACTERS);
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function protocolOf(values: Values): string {
  return values.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? values.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/protobuf';
}

export function tracingWarnings(values: Values): string[] {
  const protocol = protocolOf(values);
  const exporter = values.OTEL_TRACES_EXPORTER ?? 'otlp';
  const names: readonly string[] = exporters;
  return [
    ...(protocols.some((each) => each === protocol) ? [] : [`OTEL_EXPORTER_OTLP_PROTOCOL=${JSON.stringify(protocol)} is not known: spans are sent by http/protobuf`]),
    ...(exporter === 'none' || names.includes(exporter) ? [] : [`OTEL_TRACES_EXPORTER=${JSON.stringify(exporter)} is not known (otlp, console, none): nothing is traced`]),
  ];
}
