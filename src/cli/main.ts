#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { pino } from 'pino';
import { createLog } from '../runtime/log.ts';
import { describeFailure } from './errors.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { Host } from './host.ts';
import { createProgram } from './program.ts';

// Node's warnings go where the log goes. That `node:sqlite` is young is known: the contract suite watches over it.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning' && warning.message.includes('SQLite')) return;
  process.stderr.write(`${warning.name}: ${warning.message}\n`);
});

/** From the second signal on the default holds: the process ends at once. */
function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    onceUnread = () => resolve('SIGPIPE');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
        resolve(signal);
      });
    }
  });
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

// `lanewise … | head` closes the pipe when it has enough: no reason for a stack trace. What runs on is told to stop.
let onceUnread = (): void => process.exit();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  onceUnread();
});

let stopRequested: Promise<string> | undefined;
let isRestAbandoned = false;

const host: Host = {
  name: hostname(),
  environment: process.env,
  self: { command: process.execPath, args: [...process.execArgv, process.argv[1]!] },
  terminal: { isInput: process.stdin.isTTY, isOutput: process.stdout.isTTY },
  ask,
  end: (code) => void (process.exitCode = code),
  abandonRest: () => void (isRestAbandoned = true),
  print: (text) => process.stdout.write(`${text}\n`),
  tellParent: (message) => process.send?.(message),
  endWithParent: () => void process.once('disconnect', () => process.exit()),
  readFile: (path) => readFileSync(path, 'utf8'),
  stopRequested: () => (stopRequested ??= firstSignal()),
  onHangup: (listener) => {
    if (!process.stdin.isTTY) process.on('SIGHUP', listener);
  },
  createLog: (level) => createLog(level, pino.destination({ fd: 2, sync: true })),
};

try {
  await createProgram(host).parseAsync(process.argv);
} catch (error) {
  const description = describeFailure(error);
  if (description !== undefined) process.stderr.write(`${description}\n`);
  process.exitCode = exitCodeOf(error);
}
if (isRestAbandoned) process.exit();
