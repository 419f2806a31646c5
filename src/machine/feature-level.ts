import { codec } from '../kernel/index.js';

/**
 * What a version of the machine knows: grows with every kind of command, format or protocol that an older version cannot take.
 * What came with a level is used once the cluster uses that level.
 */
export const FEATURE_LEVEL = 7;
/** Of version 0.1.0, which does not say it. */
export const FIRST_FEATURE_LEVEL = 1;
/** The first level that a command of an operator switches on, and that all later ones need. Levels before it have no command. */
export const LEVEL_OF_SWITCHES = 6;

/** In shard 0: the cluster uses this level from here on. Lower than before: nothing happens. Feature level 6. */
export interface LevelCommand {
  readonly kind: 'level.raise';
  readonly level: number;
}
export interface LevelReply {
  readonly kind: 'level';
  /** What the cluster uses now. */
  readonly level: number;
}

export const levelCommandCodec = codec.union<LevelCommand>({
  'level.raise': { tag: 1, codec: codec.struct({ level: codec.uint }) },
});
