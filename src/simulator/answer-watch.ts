import type { Command, Reply } from '../machine/index.js';
import type { Outcome, Replica } from '../replica/index.js';

/**
 * Watches what a replica answers to commands that any replica may be asked for: an answer must be one to the command that
 * was asked, by its kind and by how much it answers. `strange` hears of one that is not.
 */
export function watchAnswers(replica: Replica, strange: (what: string) => void): void {
  const submit = replica.submitAnywhere.bind(replica) as Submit;
  const watched: Submit = (shard, command, done) => {
    submit(shard, command, (outcome) => {
      if (outcome.kind === 'ok' && !fits(command, outcome.reply))
        strange(`${command.kind} is answered with ${JSON.stringify(outcome.reply).slice(0, 200)}`);
      done(outcome);
    });
  };
  replica.submitAnywhere = watched as Replica['submitAnywhere'];
}

type Submit = (
  shard: Parameters<Replica['submitAnywhere']>[0],
  command: Command,
  done: (outcome: Outcome<Reply>) => void,
) => void;

function fits(command: Command, reply: Reply): boolean {
  switch (command.kind) {
    case 'group.commit':
      // What covers the whole commit comes without one of each offset.
      return (
        reply.kind === 'commit' && (reply.error !== 'NONE' || reply.errors.length === command.offsets.length)
      );
    case 'record.write':
      return reply.kind === 'records' && reply.outcomes.length === command.operations.length;
    case 'record.seal':
      return reply.kind === 'seal';
    case 'topic.create':
      return reply.kind === 'topic' && (reply.topic === null || reply.topic.name === command.name);
    case 'notice.receive':
    case 'notice.acknowledge':
      return reply.kind === 'noticed';
    default:
      return true;
  }
}
