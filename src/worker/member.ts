/** A member without its shell: for the simulator, which is a shell of its own. */
export { WorkerMachine } from './machine.js';
export type { Effect, Held, Input } from './machine-types.js';
export { checkedOptions, type CheckedOptions } from './options.js';
export { MembershipRequests } from './requests.js';
