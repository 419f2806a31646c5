import type { Writable } from 'node:stream';
import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import type { Log, LogFacts } from '../kernel/index.js';
import type { Settings } from './settings.js';

type Level = keyof Log;

/** The log of a replica: pino, as JSON for machines or as plain lines for people. */
export function createLog({
  logLevel,
  logFormat,
  replicaId,
}: Pick<Settings, 'logLevel' | 'logFormat' | 'replicaId'>): Log {
  const plain = logFormat === 'line' || (logFormat === 'auto' && process.stdout.isTTY);
  const logger = pino(
    { level: logLevel, base: { replica: replicaId }, formatters: { level: (level) => ({ level }) } },
    plain ? lineStream() : STDOUT,
  );
  const write =
    (level: Level) =>
    (message: string, facts?: LogFacts): void => {
      writeTo(logger, level, message, facts);
    };
  return { info: write('info'), warn: write('warn'), error: write('error'), debug: write('debug') };
}

function writeTo(logger: Logger, level: Level, message: string, facts: LogFacts | undefined): void {
  if (facts === undefined) logger[level](message);
  else logger[level](facts, message);
}

/** Not pino's own way to stdout: when the reader of a pipe is gone, it retries the last write for ever at the exit. */
const STDOUT = { write: (line: string): void => bounded().write(line) };

/** What may wait for a reader of the log that has stopped. Bytes. */
const UNREAD_BYTES_MAX = 1024 * 1024;
let stdout: { write(line: string): void } | undefined;
const bounded = (): { write(line: string): void } => (stdout ??= boundedLines(process.stdout));

/** Lines beyond what may wait are dropped and counted: a stopped reader must not fill the memory of a replica. */
export function boundedLines(stream: Writable): { write(line: string): void } {
  let dropped = 0;
  return {
    write(line) {
      if (stream.writableLength > UNREAD_BYTES_MAX) {
        dropped++;
        return;
      }
      if (dropped > 0) {
        const msg = `${dropped} lines were dropped: nobody read the log`;
        dropped = 0;
        // In both forms of the log a line of its own.
        stream.write(`${JSON.stringify({ level: 'warn', time: Date.now(), msg })}\n`);
      }
      stream.write(line);
    },
  };
}

const GRAVE: Readonly<Record<string, string>> = { error: ' ERROR', fatal: ' ERROR', warn: ' warning' };

/** pino's JSON lines as lines for people: time, replica, level when it is a warning or an error, message. */
function lineStream(): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, replica, msg } = JSON.parse(line) as {
        level: string;
        time: number;
        replica: number;
        msg: string;
      };
      const grave = GRAVE[level] ?? '';
      STDOUT.write(`${new Date(time).toTimeString().slice(0, 8)}  replica ${replica}${grave}  ${msg}\n`);
    },
  };
}

/** Nest's own lines (routes, modules) are debug output. */
export class NestLog implements LoggerService {
  readonly #log: Log;
  constructor(log: Log) {
    this.#log = log;
  }
  log(message: unknown): void {
    this.#log.debug(String(message));
  }
  debug(message: unknown): void {
    this.#log.debug(String(message));
  }
  verbose(message: unknown): void {
    this.#log.debug(String(message));
  }
  warn(message: unknown): void {
    this.#log.warn(String(message));
  }
  error(message: unknown, stack?: unknown): void {
    this.#log.error(String(message), stack === undefined ? undefined : { stack });
  }
}
