/** Where a task goes. A new type is a member here; the compiler then points at every place that needs a row. */
export interface HttpDestination {
  readonly type: 'http';
  /** Absolute http or https url, as the client wrote it. */
  readonly url: string;
}

export interface KafkaDestination {
  readonly type: 'kafka';
  /** Bootstrap broker. undefined = the cluster in KAFKA_BROKERS, the only one that ever gets credentials. */
  readonly broker: { readonly host: string; readonly port: number } | undefined;
  readonly topic: string;
  /** Message key; undefined = `<task id>|<attempt>`. */
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export type Destination = HttpDestination | KafkaDestination;
export type DestinationType = Destination['type'];

/**
 * A destination for logs, job names and `x-retry-original-destination`: says where, never how to get in.
 * User and password of a url are left out, and so is its query, where API tokens like to live.
 * `http https://api.example.com/hook?...`, `kafka orders@broker-1:9092`, `kafka orders@default`.
 */
export function printDestination(destination: Destination): string {
  switch (destination.type) {
    case 'http': {
      // Must not throw: a log line about a task with a broken url would keep the task from ever being decided.
      const url = parseUrl(destination.url);
      if (url === undefined) return 'http (not a url)';
      return `http ${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
    }
    case 'kafka': {
      const { broker, topic } = destination;
      return `kafka ${topic}@${broker === undefined ? 'default' : `${broker.host}:${broker.port}`}`;
    }
  }
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text); // canParse first would parse twice, for every attempt
  } catch {
    return undefined;
  }
}
