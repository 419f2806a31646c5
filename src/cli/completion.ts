import { Argument, type Command } from 'commander';
import type { TopicsJson } from '../admin/index.js';
import { allGroups } from './all-groups.js';
import { type Ask, type Common, withCommonOptions } from './ask.js';

interface Word {
  readonly text: string;
  readonly description: string;
}
/** What may stand behind a command. */
interface Place {
  /** `/groups/describe`; empty for `quorate` itself. */
  readonly at: string;
  readonly words: readonly Word[];
  /** Its first argument is one of these. */
  readonly names: 'groups' | 'topics' | undefined;
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];
const NAMES: Readonly<Record<string, Place['names']>> = { group: 'groups', topic: 'topics' };

/** `quorate completion SHELL`, and what its scripts ask for the names there are. */
export function addCompletion(program: Command, ask: Ask, print: (text: string) => void): void {
  program
    .command('completion')
    .description('print what completes commands, groups and topics in a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => print(SCRIPTS[shell](placesOf(program))));
  withCommonOptions(
    program
      .command('names', { hidden: true })
      .addArgument(new Argument('<kind>').choices(['groups', 'topics'])),
  ).action((kind: 'groups' | 'topics', options: Common) =>
    ask(
      options,
      async (admin) =>
        kind === 'groups'
          ? (await allGroups(admin)).groups.map(({ group }) => group)
          : (await admin.request<TopicsJson>('GET', '/topics')).topics.map(({ name }) => name),
      (names) => names.join('\n'),
    ),
  );
}

function placesOf(command: Command, at = ''): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  const words = [
    ...commands.map((each) => ({ text: each.name(), description: each.description() })),
    ...help.visibleOptions(command).map(({ long, short, description }) => ({
      text: (long ?? short)!,
      description,
    })),
    ...(command.registeredArguments[0]?.argChoices ?? []).map((text) => ({ text, description: text })),
  ];
  const names = NAMES[command.registeredArguments[0]?.name() ?? ''];
  return [{ at, words, names }, ...commands.flatMap((each) => placesOf(each, `${at}/${each.name()}`))];
}

const deeper = (places: readonly Place[]): readonly string[] =>
  places.flatMap(({ at }) => (at === '' ? [] : [at]));
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(places: readonly Place[]): string {
  const cases = places.map(({ at, words, names }) => {
    const texts = quoted(words.map(({ text }) => text).join('\n'));
    const asked = names === undefined ? '' : ` names=$(quorate names ${names} 2>/dev/null)`;
    return `    ${quoted(at)}) words=${texts}${asked} ;;`;
  });
  return `# eval "$(quorate completion bash)"
_quorate() {
  local at='' word words='' names='' IFS=$'\\n'
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
      ${deeper(places).join('|')}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words"$'\\n'"$names" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _quorate quorate`;
}

function zsh(places: readonly Place[]): string {
  const cases = places.map(({ at, words, names }) => {
    const texts = words.map(({ text, description }) =>
      quoted(`${text.replaceAll(':', '\\:')}:${description}`),
    );
    const asked = names === undefined ? '' : ` names=(\${(f)"$(quorate names ${names} 2>/dev/null)"})`;
    return `    ${quoted(at)}) candidates=(${texts.join(' ')})${asked} ;;`;
  });
  return `#compdef quorate
# eval "$(quorate completion zsh)", after compinit
_quorate() {
  local at='' word
  local -a candidates names
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${deeper(places).join('|')}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _describe quorate candidates
  (( $#names )) && compadd -a names
}
compdef _quorate quorate`;
}

function fish(places: readonly Place[]): string {
  const rules = places.flatMap(({ at, words, names }) => {
    const here = `complete -c quorate -n ${quoted(`__quorate_at ${at === '' ? '/' : at}`)}`;
    const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    return [
      ...words.map(({ text, description }) =>
        text.startsWith('--')
          ? `${here} -l ${text.slice(2)} -d ${fishQuoted(description)}`
          : `${here} -a ${text} -d ${fishQuoted(description)}`,
      ),
      ...(names === undefined ? [] : [`${here} -a '(quorate names ${names} 2>/dev/null)'`]),
    ];
  });
  return `# quorate completion fish | source
function __quorate_at
    set -l at
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
            case ${deeper(places).join(' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"; or test -z "$at" -a "$argv[1]" = /
end
complete -c quorate -f
${rules.join('\n')}`;
}

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };
