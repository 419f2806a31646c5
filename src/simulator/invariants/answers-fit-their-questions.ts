import type { History } from '../history.js';

/** What a replica answers to a command that it passes on is an answer to that command. */
export const answersFitTheirQuestions = ({ witnessed }: History): string | undefined =>
  witnessed.get('answers-fit-their-questions');
