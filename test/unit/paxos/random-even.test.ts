import { describeRandomWorlds } from './random.js';

describeRandomWorlds('even');
