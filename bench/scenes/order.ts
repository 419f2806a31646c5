/** An order as a shop would keep it; an update writes all of it but the customer. */
export interface Order {
  readonly [field: string]: string | number | boolean | Date;
  readonly state: string;
  readonly total: number;
  readonly currency: string;
  readonly carrier: string;
  readonly tracking: string;
  readonly paidAt: Date;
  readonly gift: boolean;
  readonly note: string;
}
export const ORDER_FIELDS = [
  'state',
  'total',
  'currency',
  'carrier',
  'tracking',
  'paidAt',
  'gift',
  'note',
] as const;

const NOTE =
  'Leave it with the neighbours on the ground floor; the bell of the second floor is broken since March.';

export const changesOf = (i: number): Order => ({
  state: i % 2 === 0 ? 'packed' : 'paid',
  total: 12_950 + i,
  currency: 'EUR',
  carrier: 'dhl-express',
  tracking: `JD0146000${i}`,
  paidAt: new Date(1_700_000_000_000 + i),
  gift: i % 3 === 0,
  note: NOTE,
});

/** The fence that the fenced ways write under. */
export const BENCH_FENCE = { scope: 'shop/orders/3', token: 2n ** 40n } as const;
