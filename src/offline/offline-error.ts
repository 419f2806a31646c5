/** What was asked cannot be done. The message says what to do. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';
  readonly reason: 'wrong-use' | 'in-use' | 'damaged';
  constructor(message: string, reason: 'wrong-use' | 'in-use' | 'damaged') {
    super(message);
    this.reason = reason;
  }
}
