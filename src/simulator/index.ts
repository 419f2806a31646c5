export { runSeed } from './campaign.js';
