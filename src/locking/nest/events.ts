import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { Observable } from 'rxjs';
import { LOCKING_CHANNEL, type LockingEvent } from '../observed.js';

/** Conflicts, fenced writes, lost answers and retries of this process, as they happen. */
@Injectable()
export class LockingEvents {
  readonly events$: Observable<LockingEvent> = new Observable((subscriber) => {
    const next = (event: unknown): void => subscriber.next(event as LockingEvent);
    subscribe(LOCKING_CHANNEL, next);
    return () => unsubscribe(LOCKING_CHANNEL, next);
  });
}
