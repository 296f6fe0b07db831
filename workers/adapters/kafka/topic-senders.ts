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
  /** Name and identity of the cluster. */
  readonly cluster: string;
  /** The same topic as somebody else. */
  readonly place: string;
  readonly sender: TopicSender;
  lastUsedAt: number;
  /** Other credentials have taken the place of its own. */
  isReplaced: boolean;
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
    const key = `${nameOf(cluster)} ${topic}`;
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
    const name = nameOf(cluster);
    const place = `${cluster.name} ${topic}`;
    this.#replace(place);
    const entrance = this.#entrances.get(name) ?? new ClusterEntrance(cluster, this.#settings);
    this.#entrances.set(name, entrance);
    const connect = (signal: AbortSignal) => entrance.connect(topic, signal);
    const open: OpenTopic = {
      cluster: name,
      place,
      isReplaced: false,
      lastUsedAt: this.#settings.clock(),
      sender: new TopicSender(connect, this.#settings, () => {
        open.lastUsedAt = this.#settings.clock();
        if (open.isReplaced) this.#closeOne(open);
        this.#closeSurplus();
        if (!this.#hasUnanswered) this.#onAllAnswered?.();
      }),
    };
    return open;
  }

  /** A topic has one access at a time: what is on its way as before may finish. */
  #replace(place: string): void {
    for (const open of this.#open.values()) {
      if (open.place !== place) continue;
      open.isReplaced = true;
      if (open.sender.isIdle) this.#closeOne(open);
    }
  }

  #closeOne(wanted: OpenTopic): void {
    for (const [key, open] of this.#open) if (open === wanted) this.#close(key);
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

function nameOf({ name, identity }: KafkaCluster): string {
  return identity === '' ? name : `${name} ${identity}`;
}
