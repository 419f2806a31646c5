export { AdminController } from './admin.controller.js';
export { AdminModule } from './admin.module.js';
export { Problem, ProblemFilter } from './problem.js';
export { ADMIN_SOURCE } from './tokens.js';
