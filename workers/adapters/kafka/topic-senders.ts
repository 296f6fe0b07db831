import type { Clock } from '../../../shared/domain/ports.js';
import type { BatchLimits } from './batch-rule.js';
import { ClusterEntrance } from '../../../shared/kafka/cluster-entrance.js';
import type { KafkaCluster } from '../../../shared/kafka/cluster-identity.js';
import { withinLimit } from '../../../shared/lifecycle/time-limit.js';
import type { ConnectionSettings } from '../../../shared/kafka/topic-connection.js';
import { TopicSender } from './topic-sender.js';

export interface TopicSendersSettings extends ConnectionSettings, BatchLimits {
  /** Topics, of all clusters together, that are kept connected. Exceeded only while more than that are sending. */
  readonly maxOpenTopics: number;
  /** A topic that nothing was sent to for this long is disconnected, in whole milliseconds. */
  readonly idleTopicMs: number;
  readonly clock: Clock;
}

interface OpenTopic {
  readonly cluster: string;
  readonly sender: TopicSender;
  lastUsedAt: number;
}

/** The topics that are connected now, least recently used first. Never closes one that has something to do. */
export class TopicSenders {
  readonly #settings: TopicSendersSettings;
  readonly #open = new Map<string, OpenTopic>();
  readonly #entrances = new Map<string, ClusterEntrance>();
  readonly #ending = new Set<Promise<void>>();
  readonly #sweeping: NodeJS.Timeout;
  #onAllAnswered: (() => void) | undefined;

  constructor(settings: TopicSendersSettings) {
    this.#settings = settings;
    this.#sweeping = setInterval(() => { this.closeIdle(); }, Math.ceil(settings.idleTopicMs / 10)).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  senderFor(cluster: KafkaCluster, topic: string): TopicSender {
    // No topic name and no host holds a space: no two pairs share a key.
    const key = `${cluster.name} ${topic}`;
    const open = this.#open.get(key) ?? this.#openTopic(cluster, topic);
    open.lastUsedAt = this.#settings.clock();
    // Delete and set: a Map keeps the order of insertion, so the least recently used stands first.
    this.#open.delete(key);
    this.#open.set(key, open);
    this.#closeSurplus(open);
    return open.sender;
  }

  /** Disconnects the topics that have been idle for long; runs by itself ten times in idleTopicMs. */
  closeIdle(): void {
    const idleSince = this.#settings.clock() - this.#settings.idleTopicMs;
    for (const [key, { lastUsedAt, sender }] of this.#open) {
      if (lastUsedAt <= idleSince && sender.isIdle) this.#close(key);
    }
  }

  /**
   * Lets what is on its way finish, answers the rest (`shutting_down`) and ends all connections.
   *
   * @param graceMs whole milliseconds that may be spent on the first part
   */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#sweeping);
    if (this.#hasUnanswered) {
      const allAnswered = new Promise<void>((resolve) => { this.#onAllAnswered = resolve; });
      await withinLimit(allAnswered, graceMs, () => new Error('not answered yet')).catch(() => {
        // The grace is over: the senders answer the rest themselves, below.
      });
    }
    for (const key of [...this.#open.keys()]) this.#close(key);
    await Promise.all(this.#ending);
  }

  get #hasUnanswered(): boolean {
    return [...this.#open.values()].some(({ sender }) => sender.hasUnanswered);
  }

  #openTopic(cluster: KafkaCluster, topic: string): OpenTopic {
    const entrance = this.#entrances.get(cluster.name) ?? new ClusterEntrance(cluster, this.#settings);
    this.#entrances.set(cluster.name, entrance);
    const connect = (signal: AbortSignal) => entrance.connect(topic, signal);
    const open: OpenTopic = {
      cluster: cluster.name,
      lastUsedAt: this.#settings.clock(),
      sender: new TopicSender(connect, this.#settings, () => {
        open.lastUsedAt = this.#settings.clock();
        this.#closeSurplus();
        if (!this.#hasUnanswered) this.#onAllAnswered?.();
      }),
    };
    return open;
  }

  /** @param wanted about to be given a message, so idle only in appearance */
  #closeSurplus(wanted?: OpenTopic): void {
    for (const [key, open] of this.#open) {
      if (this.#open.size <= this.#settings.maxOpenTopics) return;
      if (open !== wanted && open.sender.isIdle) this.#close(key);
    }
  }

  #close(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    const isLastOfCluster = [...this.#open.values()].every(({ cluster }) => cluster !== open.cluster);
    if (isLastOfCluster) this.#entrances.delete(open.cluster);
    const ending: Promise<void> = open.sender.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
