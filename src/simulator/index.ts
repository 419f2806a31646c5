export { runSeed, runSetup } from './campaign.js';
export type { Setup } from './setup.js';
