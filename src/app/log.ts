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
  const logger = pino({ level: logLevel, base: { replica: replicaId } }, plain ? lineStream() : STDOUT);
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

/** Not pino's own way to stdout: when the reader of a pipe is gone, its last words are tried again for ever at the exit. */
const STDOUT = { write: (line: string): void => void process.stdout.write(line) };

/** pino's JSON lines as lines for people: time, replica, level when it is not info, message. */
function lineStream(): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, replica, msg } = JSON.parse(line) as {
        level: number;
        time: number;
        replica: number;
        msg: string;
      };
      const grave = level >= 50 ? ' ERROR' : level >= 40 ? ' warning' : '';
      process.stdout.write(
        `${new Date(time).toTimeString().slice(0, 8)}  replica ${replica}${grave}  ${msg}\n`,
      );
    },
  };
}

/** Nest's own lines (routes, modules) are for whoever debugs the wiring. */
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
