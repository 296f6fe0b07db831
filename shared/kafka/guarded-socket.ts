import { EventEmitter } from 'node:events';
import type net from 'node:net';

import { beginsLikeTls, TlsExpected } from '../tls/tls-fault.js';
import type { AnswerFindings } from './answer-check.js';
import { AnswerStream } from './answer-stream.js';
import { NoKafkaBroker } from './no-kafka-broker.js';
import { readQuestion } from './request-reader.js';

export interface SocketObserver {
  /** The connection is over because of what came. Called at most once. */
  onFault(fault: Error): void;
  /** A whole and sound answer has come. Called before kafkajs gets it. */
  onAnswer(findings: AnswerFindings): void;
  /** A batch for this partition is about to be written. @returns false: it must not leave any more */
  mayLeave(partition: number): boolean;
}

/**
 * Stands between a socket and kafkajs: it hands on whole, sound answers, and nothing after the first that is none.
 * kafkajs decodes in the listener of its socket, so what it throws there would end the process.
 *
 * It has what kafkajs uses of a socket: `on`, `write`, `end`, `unref`.
 */
export class GuardedSocket extends EventEmitter {
  readonly #answers = new AnswerStream();
  #hasAnswered = false;
  #isOver = false;

  constructor(
    private readonly socket: net.Socket,
    private readonly observer: SocketObserver,
  ) {
    super();
    socket.on('data', (chunk: Buffer) => { this.#take(chunk); });
    for (const event of ['end', 'error', 'timeout']) socket.on(event, (...args: unknown[]) => { this.emit(event, ...args); });
  }

  write(request: Buffer): boolean {
    if (this.#isOver) return false;
    const question = readQuestion(request);
    if (question.kind === 'request' && question.target !== undefined && !this.observer.mayLeave(question.target.partition)) return false;
    this.#answers.ask(question);
    return this.socket.write(request);
  }

  end(): void {
    this.socket.end();
  }

  unref(): void {
    this.socket.unref();
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#answers.take(chunk, (answer, findings) => {
        this.#hasAnswered = true;
        this.observer.onAnswer(findings);
        // The answer before this one may have led to the end of the connection.
        if (!this.socket.destroyed) this.emit('data', answer);
      });
    } catch (error) {
      this.#isOver = true;
      const fault = this.#faultOf(error, chunk);
      this.observer.onFault(fault);
      this.socket.destroy(fault);
    }
  }

  #faultOf(error: unknown, chunk: Buffer): Error {
    if (error instanceof NoKafkaBroker && !this.#hasAnswered && beginsLikeTls(chunk)) return new TlsExpected();
    // kafkajs throws only for answers that are none, and says so in no class of its own.
    return error instanceof Error ? error : new NoKafkaBroker(String(error));
  }
}
