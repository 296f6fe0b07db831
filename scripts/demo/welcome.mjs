/**
 * What `npm run demo` prints once everything answers.
 * @param {{baseUrl: string, kafka: string | undefined}} running
 */
export function demoWelcome({ baseUrl, kafka }) {
  return `
The service is running.

  Operations  ${baseUrl}/admin          what fails, why a task waits, redrive, pause
  Bull Board  ${baseUrl}/admin/queues   the engine below it
  Metrics     ${baseUrl}/metrics
  Contract    ${baseUrl}/docs
  Kafka       ${kafka ?? 'none found (KAFKA_BROKERS names one)'}

Four clients hand over some twenty tasks a second. Of one receiver, /orders and /shipping are well, /invoices fails now and then, /payments is down
every other minute, /search-index is slow, /audit is busy, /crm refuses, /gone is not there; and one host answers nobody.

Ctrl-C ends it, and nothing of it stays. LOG_LEVEL=info shows what the service logs.
`;
}
