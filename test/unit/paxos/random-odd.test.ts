import { describeRandomWorlds } from './random.js';

describeRandomWorlds('odd');
