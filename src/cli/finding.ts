/** `critical`: something stands still now. `warning`: it works, and needs somebody. `note`: good to know. */
export type Severity = 'critical' | 'warning' | 'note';
export interface Finding {
  readonly severity: Severity;
  /** Whom it concerns; null: the cluster. */
  readonly replica: number | null;
  readonly what: string;
  /** What to do about it. */
  readonly then: string;
  /** A page of the documentation. */
  readonly see: string;
}
