export {
  allOrNothing,
  outcomeFromDigits,
  outcomeInDigits,
  type Sealed,
  sealInDigits,
  type SealOutcome,
  type WriteOutcome,
} from './outcomes.js';
export { judge, judgeSeal, type RecordState, type Seal } from './rule.js';
