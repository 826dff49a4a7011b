import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A part of a measurement that is asked for one thing after another: a process of its own, whose CPU is its own. */

interface Question {
  readonly number: number;
  readonly name: string;
  readonly argument: unknown;
}

type Answer = { readonly number: number } & ({ readonly result: unknown } | { readonly failure: string });

export type Answers = Readonly<Record<string, (argument: never) => unknown>>;

export class PartProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** @param file calls `answerQuestions` */
  constructor(file: URL) {
    this.#child = fork(fileURLToPath(file), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (answer: Answer) => {
      const asked = this.#open.get(answer.number)!;
      this.#open.delete(answer.number);
      if ('failure' in answer) asked.reject(new Error(answer.failure));
      else asked.resolve(answer.result);
    });
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#open.values())
        reject(new Error(`the part ended: ${String(signal ?? code)}`));
    });
  }

  async ask<T>(name: string, argument: unknown = null): Promise<T> {
    const number = this.#asked++;
    const asked = Promise.withResolvers<unknown>();
    this.#open.set(number, asked);
    this.#child.send({ number, name, argument } satisfies Question);
    return (await asked.promise) as T;
  }

  /** Seconds of CPU, user and system, so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // After the command's closing bracket; fields 14 and 15 of proc(5), in ticks of 10 ms.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** In the part. */
export function answerQuestions(answers: Answers): void {
  process.on('message', ({ number, name, argument }: Question) => {
    const tell = (answer: Answer): void => void process.send!(answer);
    const work = async (): Promise<unknown> => answers[name]!(argument as never);
    work().then(
      (result) => tell({ number, result: result ?? null }),
      (error: unknown) =>
        tell({ number, failure: error instanceof Error ? String(error.stack) : String(error) }),
    );
  });
}
