import type { Observer } from './observer.js';
import type { Surroundings } from './surroundings.js';
import type { Station } from './strike.js';

/** What is looked at of the messages of a replica whose version is of `level`. */
export function messagesOf(
  observer: Observer,
  station: Station,
  level: number,
): Pick<Surroundings, 'sends' | 'hears'> {
  const { quorums, isMixed, conduct } = observer;
  const { id } = station;
  const sends = (bytes: Uint8Array): void => {
    if (station.forgot) conduct.sentByWhoForgot(id, bytes);
    if (isMixed) observer.sent(id, bytes);
    quorums?.sent(id, bytes);
    observer.sentIn(station, bytes);
  };
  if (quorums === undefined && !isMixed) return { sends };
  return {
    sends,
    hears: (from, bytes) => {
      if (isMixed && !observer.heard(from, id, level, bytes)) return false;
      quorums?.heard(from, id, bytes);
      return true;
    },
  };
}
