/** What every request of ours calls itself: to receivers, proxies and token servers. */
export const USER_AGENT = 'kafka-retry-service/1.0';
