export { AdminController, Problem } from './admin.controller.js';
export { AdminModule } from './admin.module.js';
export { ADMIN_SOURCE } from './tokens.js';
