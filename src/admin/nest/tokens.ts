/** The AdminSource that the HTTP side reads from. */
export const ADMIN_SOURCE = Symbol('quorate:admin-source');
