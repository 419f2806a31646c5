export { AdminModule } from './admin.module.js';
export { ProblemFilter } from './problem.js';
