/** One name for every spelling: `Kafka-1`, 9092 -> `kafka-1:9092`; `[::1]`, 9092 -> `::1:9092`. */
export function brokerName({ host, port }: { readonly host: string; readonly port: number }): string {
  return spellBroker(`${host}:${port}`);
}

/** @param broker host and port, or a name that is neither, such as `default` */
export function spellBroker(broker: string): string {
  return broker.toLowerCase().replace(/^\[(.+)\]:/, '$1:');
}
