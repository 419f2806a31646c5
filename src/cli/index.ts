export { createProgram, type CliSurroundings } from './program.js';
