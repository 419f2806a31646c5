/** Facts of a log line that a program may want to read: group, epoch, shard, member. */
export type LogFacts = Readonly<Record<string, unknown>>;

/** Where every room writes its log lines. The message is one line for people; `facts` are fields of the JSON log. */
export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}
