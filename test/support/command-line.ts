import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';

import { killWithUs } from './kill-with-us.js';

const program = path.resolve(import.meta.dirname, '../../dist/client/cli/main.js');

/** How a run of the program has ended. */
export interface Ended {
  /** The exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

/** The built program `kafka-retry`, run as a process. */
export class CommandLine {
  readonly #ended: Promise<Ended>;
  #out = '';
  #err = '';

  private constructor(private readonly child: ChildProcess) {
    killWithUs(child);
    child.stdout?.on('data', (chunk: Buffer) => { this.#out += chunk.toString(); });
    child.stderr?.on('data', (chunk: Buffer) => { this.#err += chunk.toString(); });
    // It may end before it has read everything.
    child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code: signal ?? code ?? -1, out: this.#out, err: this.#err }));
    });
  }

  /** @param environment nothing else of the surroundings comes in but what a program needs to run */
  static start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): CommandLine {
    const { PATH = '', HOME = '' } = process.env;
    return new CommandLine(spawn(process.execPath, [program, ...args], { env: { PATH, HOME, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  /** Runs it to its end. @param input what it reads from standard input */
  static async run(args: readonly string[], environment: Readonly<Record<string, string>> = {}, input = ''): Promise<Ended> {
    const started = CommandLine.start(args, environment);
    started.write(input);
    started.endInput();
    return started.ended();
  }

  /** The program in a shell, as `kafka-retry`: for pipes. */
  static async shell(script: string, environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const { PATH = '', HOME = '' } = process.env;
    const started = new CommandLine(spawn('bash', ['-c', `kafka-retry() { '${process.execPath}' '${program}' "$@"; }\n${script}`], { env: { PATH, HOME, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] }));
    started.endInput();
    return started.ended();
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  write(input: string | Buffer): void {
    this.child.stdin?.write(input);
  }

  endInput(): void {
    this.child.stdin?.end();
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.child.kill('SIGINT');
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }
}
